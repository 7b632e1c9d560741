"""Encodes tracks of one source: at a crf, at a bit rate, or within the bytes of another track."""

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vdiff_jax import media
from vdiff_jax.compression.attachment import Timestamps
from vdiff_jax.compression.codec import Codec
from vdiff_jax.compression.samples import Sampler
from vdiff_jax.compression.settings import RATE_TRIES, SIZE_TRIES, Settings
from vdiff_jax.compression.source import Source, timestamps_of
from vdiff_jax.compression.track import Track, Variant, every_second, resize_frames
from vdiff_jax.errors import OptionError
from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.array_files import read_arrays, write_arrays
from vdiff_jax.runtime.checkpoint_files import find_checkpoint
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints, checkpoint_folder
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.stream.context import passed

log = logging.getLogger(__name__)
_RATE_TOLERANCE = (0.94, 1.01)
"""The search for a bit rate ends at a rate between these shares of it."""
_SEGMENT = 1000
"""Frames from one checkpoint of a track to the next. The encoder starts afresh there, which costs a few bytes."""


class TrackEncoder:
    """Encodes tracks of one source.

    Args:
      source: the source.
      coded: its properties as the encoder receives it.
      settings: the options of `compress`.
      folder: where the tracks are written.
      clock: measures the stage "encode".
      progress: is called with the number of frames encoded.
      begin: is called with the name of each stage as it begins, such as "probing".
      keep: keeps tracks and parts of them in the folder for a later run, and takes those that it finds there.

    Attributes:
      shape: the source's height and width.
      whole: the variant that keeps all of the source.
      sampler: samples of the source and its tracks.
    """

    def __init__(
        self,
        source: Source,
        coded: media.VideoInfo,
        settings: Settings,
        folder: Path,
        clock: Stopwatch,
        progress: Callable[[int], Any] = lambda frames: None,
        begin: Callable[[str], Any] = lambda stage: None,
        *,
        keep: bool = False,
    ):
        self.source, self.coded, self.settings = source, coded, settings
        self._folder, self._clock, self._progress, self.begin = folder, clock, progress, begin
        self._tracks, self._keep = 0, keep
        self.shape = source.info.height, source.info.width
        self.whole = Variant(self.shape)
        self.sampler = Sampler(source, coded, settings)

    def track(self) -> Track:
        """A track of the whole source at the crf or the bit rate of the settings.

        Raises:
          OptionError: no crf reaches the bit rate.
        """
        return self.encode(self.settings.crf) if self.settings.bitrate is None else self._search_rate()

    def encode(self, crf: float, variant: Variant | None = None) -> Track:
        """A track at a crf; by default of the whole source."""
        variant = variant or self.whole
        path = self._folder / f"{crf:.2f}.{variant.shape[0]}x{variant.shape[1]}.{variant.half_rate:d}.mp4"
        info, times = self.source.info, self._times_kept(path)
        if times is None:
            times = []
            self._write(path, crf, variant, times)
        self.sampler.frame_count = len(times)
        last = times[-1][1] or round(1 / (info.rate * info.time_base))
        seconds = float((times[-1][0] + last - times[0][0]) * info.time_base)
        return Track(path, crf, variant, media.video_bytes(path), times, seconds)

    def _write(self, path: Path, crf: float, variant: Variant, times: list[tuple[int, int | None]]) -> None:
        """Encodes a track to a file, and appends the time stamps of the source's frames to `times`."""
        self._tracks += 1
        most = self.settings.most_tracks
        self.begin("encoding" if most == 1 else f"encoding {self._tracks} of at most {most}")
        info, codec = variant.info(self.source.info), self.settings.codec
        encoder = {"codec": codec.encoder, "options": self.settings.encoder_options(crf)}
        checkpoints = self._checkpoints(path)
        writer = media.open_writer(path, info, trial=True, checkpoints=checkpoints, **encoder)
        with self._clock.stage("encode"), self.source.frames(written=True) as frames, writer:
            frames = self._recorded(frames, times)
            kept = passed(every_second(frames) if variant.half_rate else frames, checkpoints)
            for frame in resize_frames(kept, info.pixels, variant.shape):
                writer.write(frame)
        if self._keep:
            write_arrays(_times_file(path), [np.array([(pts, -1 if d is None else d) for pts, d in times], np.int64)])

    def _checkpoints(self, path: Path) -> Checkpoints:
        """The checkpoints of a track, which an earlier run may have begun."""
        if not self._keep:
            return NO_CHECKPOINTS
        folder = checkpoint_folder(path)
        return Checkpoints(folder, every=_SEGMENT, begun=find_checkpoint(folder, {}), quiet=True)

    def _times_kept(self, path: Path) -> list[tuple[int, int | None]] | None:
        """The time stamps of a track that an earlier run has finished; `None` if there is none."""
        if not (self._keep and path.exists() and _times_file(path).exists()):
            return None
        return [(pts, None if d < 0 else d) for pts, d in read_arrays(_times_file(path))[0].tolist()]

    def encode_within(self, size: int, crf: float, variant: Variant) -> Track:
        """A track of at most `size` bytes, or a little more if a few tries find none; `crf` is a first guess."""
        for _ in range(SIZE_TRIES):
            track = self.encode(crf, variant)
            if track.size <= size:
                break
            crf = self.settings.codec.coarser(crf, np.log2(track.size / size))
        return track

    def timestamps(self, track: Track) -> Timestamps | None:
        """The time stamps that the attachment has to hold, because the track's are rounded or incomplete."""
        return timestamps_of(track.times, self.source.info, always=track.variant.half_rate)

    def _search_rate(self) -> Track:
        """The track nearest to the bit rate of the settings, from below if there is one."""
        codec, rate = self.settings.codec, self.settings.bitrate
        uncompressed = 8 * self.coded.frame_bytes * self.coded.rate
        if rate > uncompressed:
            raise OptionError(
                f"{rate:,.0f} bits per second are more than the uncompressed video's {float(uncompressed):,.0f}: pass "
                "a lower bitrate"
            )
        self.begin("probing")
        crf = self.sampled_crf()
        tracks: list[Track] = []
        for _ in range(RATE_TRIES):
            track = self.encode(crf)
            tracks.append(track)
            share = track.rate / rate
            if _RATE_TOLERANCE[0] <= share <= _RATE_TOLERANCE[1] or (share < 1 and crf <= 1):
                break
            if share > 1 and crf >= codec.highest_crf:
                raise OptionError(
                    f"{rate:,.0f} bits per second are too few: {codec.encoder} at its coarsest, crf {crf:g}, needs "
                    f"{track.rate:,.0f} for this video: pass at least that bitrate"
                )
            crf = _next_crf(codec, tracks, rate)
            if any(crf == tried.crf for tried in tracks):
                break
        below = [track for track in tracks if track.rate <= rate * _RATE_TOLERANCE[1]]
        best = max(below, key=lambda track: track.rate) if below else min(tracks, key=lambda track: track.rate)
        if best.crf <= 1 and best.rate < rate * _RATE_TOLERANCE[0]:
            log.warning(
                "%s bits per second are more than %s takes at its finest, crf 1: %s",
                *(f"{rate:,.0f}", codec.encoder, f"{best.rate:,.0f}"),
            )
        return best

    def sampled_crf(self) -> float:
        """A crf that should give the settings' bit rate, from encoding the samples twice. It saves whole tracks."""
        codec, crf, rate = self.settings.codec, self.settings.crf, self.settings.bitrate
        for _ in range(2):
            expected = 8 * self.sampler.encoded(crf)[1] / self.sampler.seconds
            octaves = np.log2(expected / (rate * np.mean(_RATE_TOLERANCE)))
            crf = float(np.clip(codec.coarser(crf, float(octaves)), 1, codec.highest_crf))
        return crf

    def _recorded(self, frames: Iterable[Frame], times: list[tuple[int, int | None]]) -> Iterator[Frame]:
        """The frames; each one's pts and duration are appended to `times`."""
        for frame in frames:
            times.append((frame.pts, frame.duration))
            yield frame
            self._progress(len(times))


def _times_file(path: Path) -> Path:
    return path.with_suffix(".times.npz")


def _next_crf(codec: Codec, tracks: list[Track], rate: float) -> float:
    """The crf to try next, by linear interpolation of the rate's logarithm, or by the codec's usual slope."""
    above = max((track for track in tracks if track.rate > rate), key=lambda track: track.crf, default=None)
    below = min((track for track in tracks if track.rate <= rate), key=lambda track: track.crf, default=None)
    goal = np.log2(rate * np.mean(_RATE_TOLERANCE))
    if above is not None and below is not None:
        high, low = np.log2(above.rate), np.log2(below.rate)
        crf = above.crf + (below.crf - above.crf) * np.clip((high - goal) / max(high - low, 1e-6), 0.05, 0.95)
    else:
        crf = tracks[-1].crf + codec.octave * (np.log2(tracks[-1].rate) - goal) * 1.1
    step = 1.0 if codec.name == "av1" else 0.01
    return float(np.clip(round(crf / step) * step, 1, codec.highest_crf))
