"""The tracks that are tried of one source, by quality or by rate."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from vdiff_jax import media
from vdiff_jax.compression.attachment import Stamps
from vdiff_jax.compression.codec import Codec
from vdiff_jax.compression.excerpts import Excerpts
from vdiff_jax.compression.form import Form, halved
from vdiff_jax.compression.resolution import in_form, resized
from vdiff_jax.compression.source import Original, stamps_of
from vdiff_jax.compression.track import Track, Wanted
from vdiff_jax.errors import OptionError
from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.stopwatch import Stopwatch

_CLOSE = (0.94, 1.01)
"""A rate within these shares of the one asked for is taken."""
_TRIES = 6
_AGAIN = 3


class Encoder:
    """Encodes tracks of one source."""

    def __init__(
        self,
        original: Original,
        stored: media.VideoInfo,
        wanted: Wanted,
        target: Path,
        clock: Stopwatch,
        progress,
        stack,
    ):
        self.original, self.stored, self.wanted = original, stored, wanted
        self.lead = media.audio_lead(original.path, original.info)
        self._target, self._clock, self._progress, self._stack = target, clock, progress, stack
        self.shape = original.info.height, original.info.width
        self.form = Form(self.shape)
        self.excerpts = Excerpts(original, stored, wanted)

    def track(self) -> Track:
        """The track of the quality or the rate that was asked for, of all that the source has.

        Raises:
          OptionError: no crf comes down to the bitrate.
        """
        return self.encode(self.wanted.crf) if self.wanted.bitrate is None else self._search(self.wanted.crf)

    def smaller(self, track: Track, crf: float, form: Form) -> Track:
        """A track of another form that takes no more bytes than one, or hardly more; `crf` is near to its quality."""
        for _ in range(_AGAIN):
            found = self.encode(crf, form)
            if found.size <= track.size:
                break
            crf = self.wanted.codec.coarser(crf, np.log2(found.size / track.size))
        return found

    def _search(self, crf: float) -> Track:
        """The rate falls with crf: by about a half for each octave, until two crfs lie around the rate."""
        codec, rate = self.wanted.codec, self.wanted.bitrate
        raw = 8 * self.stored.frame_bytes * self.stored.rate
        if rate > raw:
            raise OptionError(f"a bitrate of {rate:g} is more than the video takes uncompressed, {float(raw):g}")
        tracks: list[Track] = []
        for _ in range(_TRIES):
            track = self.encode(crf)
            tracks.append(track)
            share = track.rate / rate
            if _CLOSE[0] <= share <= _CLOSE[1] or (share < 1 and crf <= 1):
                break
            if share > 1 and crf >= codec.coarsest:
                raise OptionError(
                    f"no setting of {codec.encoder} comes down to {rate:g} bits a second: at crf {crf:g} this video "
                    f"takes {track.rate:.0f}"
                )
            crf = _next_crf(codec, tracks, rate)
            if any(crf == tried.crf for tried in tracks):
                break
        under = [track for track in tracks if track.rate <= rate * _CLOSE[1]]
        return max(under, key=lambda track: track.rate) if under else min(tracks, key=lambda track: track.rate)

    def encode(self, crf: float, form: Form | None = None) -> Track:
        """The track of a quality, of all that the source has or of another form."""
        form = form or self.form
        name = f".{self._target.stem}.{id(self)}.{crf:.2f}.{form.shape[0]}x{form.shape[1]}.{form.halved:d}.part.mp4"
        path = self._target.with_name(name)
        self._stack.callback(path.unlink, missing_ok=True)
        info, times = in_form(self.original.info, form), []
        codec, options = self.wanted.codec, self.wanted.options(crf)
        writer = media.open_writer(path, info, codec=codec.encoder, options=options)
        with self._clock.stage("encode"), self.original.frames() as frames, writer:
            seen = self._timed(frames, times)
            for frame in resized(halved(seen) if form.halved else seen, info.pixels, form.shape):
                writer.write(frame)
        self.excerpts.frames = len(times)
        last = times[-1][1] or round(1 / (self.original.info.rate * info.time_base))
        seconds = float((times[-1][0] + last - times[0][0]) * info.time_base)
        return Track(path, crf, form, media.video_bytes(path), times, seconds)

    def _timed(self, frames: Iterable[Frame], times: list[tuple[int, int | None]]) -> Iterator[Frame]:
        for frame in frames:
            times.append((frame.pts, frame.duration))
            yield frame
            self._progress(len(times))

    def stamps(self, track: Track) -> Stamps | None:
        """What the track's own times are rounded from, or left out of."""
        return stamps_of(track.times, self.original.info, self.lead, always=track.form.halved)


def _next_crf(codec: Codec, tracks: list[Track], rate: float) -> float:
    """Between the two nearest crfs around the rate, by its logarithm; where there is one side, beyond it."""
    above = max((track for track in tracks if track.rate > rate), key=lambda track: track.crf, default=None)
    below = min((track for track in tracks if track.rate <= rate), key=lambda track: track.crf, default=None)
    aim = np.log2(rate * np.mean(_CLOSE))
    if above is not None and below is not None:
        high, low = np.log2(above.rate), np.log2(below.rate)
        crf = above.crf + (below.crf - above.crf) * np.clip((high - aim) / max(high - low, 1e-6), 0.05, 0.95)
    else:
        crf = tracks[-1].crf + codec.octave * (np.log2(tracks[-1].rate) - aim) * 1.1
    step = 1.0 if codec.name == "av1" else 0.01
    return float(np.clip(round(crf / step) * step, 1, codec.coarsest))
