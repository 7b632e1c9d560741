"""The tracks that are tried of one source, by quality or by rate, and samples of them."""

import contextlib
import dataclasses
import functools
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vdiff_jax import media
from vdiff_jax.clock import Clock
from vdiff_jax.compress.codec import Codec
from vdiff_jax.compress.filling import Filling
from vdiff_jax.compress.form import Form, halved
from vdiff_jax.compress.original import Original, converted, stamps_of
from vdiff_jax.compress.recipe import Stamps
from vdiff_jax.compress.resolution import in_form, resized
from vdiff_jax.compress.samples import Piece, cut, windows
from vdiff_jax.errors import OptionError
from vdiff_jax.media.pixels import Frame
from vdiff_jax.weights import load

_CLOSE = (0.94, 1.01)
"""A rate within these shares of the one asked for is taken."""
_TRIES = 6
_AGAIN = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for.

    Attributes:
      codec: of the track.
      preset: of its encoder.
      crf: quality; the codec's usual one where there is no bitrate.
      bitrate: bits a second of track and attachment; None for a constant quality.
      vmaf: of what `decompress` is to give, at least; None for a constant quality or a bitrate.
      adapt: one of `STEPS`.
      weights: a name or a file.
      filling: those that interpolate; None where there are none.
    """

    codec: Codec
    preset: str | None
    crf: float
    bitrate: float | None
    vmaf: float | None
    adapt: str
    weights: str
    filling: str | None = None

    def options(self, crf: float) -> dict[str, str]:
        return self.codec.options(crf, self.preset)


class Track(NamedTuple):
    """An encoded track.

    Attributes:
      path: its file.
      crf: its quality.
      form: what it keeps of its source.
      size: bytes.
      times: pts and duration of each of the source's frames.
      seconds: its length.
    """

    path: Path
    crf: float
    form: Form
    size: int
    times: list[tuple[int, int | None]]
    seconds: float

    @property
    def rate(self) -> float:
        """Bits a second."""
        return 8 * self.size / self.seconds


class Encoder:
    """Encodes tracks of one source."""

    def __init__(
        self, original: Original, stored: media.VideoInfo, wanted: Wanted, target: Path, clock: Clock, progress, stack
    ):
        self.original, self.stored, self.wanted = original, stored, wanted
        self.lead = media.run_in(original.path, original.info)
        self._target, self._clock, self._progress, self._stack = target, clock, progress, stack
        self._count: int | None = None
        self.shape = original.info.height, original.info.width
        self.form = Form(self.shape)

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
        self._count = len(times)
        last = times[-1][1] or round(1 / (self.original.info.rate * info.time_base))
        seconds = float((times[-1][0] + last - times[0][0]) * info.time_base)
        return Track(path, crf, form, media.video_bytes(path), times, seconds)

    def _timed(self, frames: Iterable[Frame], times: list[tuple[int, int | None]]) -> Iterator[Frame]:
        for frame in frames:
            times.append((frame.pts, frame.duration))
            yield frame
            self._progress(len(times))

    def pieces(self, track: Track) -> list[Piece]:
        """Samples of the source beside those of the track, in the source's size: of the frames that it keeps."""
        numbers = track.form.frames(range(self._frames), self._frames)
        first = {number: place for place, number in enumerate(numbers)}
        windows = [range(first[kept[0]], first[kept[-1]] + 1) for kept in self._kept(track.form)]
        with media.open_reader(track.path) as reader:
            return self._beside(cut(iter(reader), windows), track.form)

    def trial(self, crf: float, form: Form | None = None) -> tuple[list[Piece], int]:
        """Samples of the source beside the same encoded alone, and the bytes that the whole track would take, about."""
        form = form or self.form
        info = dataclasses.replace(in_form(self.stored, form), start=Fraction(0), stop=None, run_in=Fraction(0))
        decoded, size = [], 0
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "piece.mp4"
            for frames in self._thinned(form):
                options = self.wanted.options(crf)
                with media.open_writer(path, info, codec=self.wanted.codec.encoder, options=options) as writer:
                    for frame in resized(frames, info.pixels, form.shape):
                        writer.write(dataclasses.replace(frame, pts=frame.pts - frames[0].pts))
                size += media.video_bytes(path)
                with media.open_reader(path) as reader:
                    decoded.append(list(reader))
        share = sum(map(len, self._source)) / self._frames
        return self._beside(decoded, form), round(size / share)

    def uncoded(self, form: Form) -> list[Piece]:
        """Samples of the source beside what is left of them in another form."""
        pixels = self.stored.pixels
        return self._beside([list(resized(frames, pixels, form.shape)) for frames in self._thinned(form)], form)

    def shown(self, decoded: Sequence[list[Frame]], form: Form) -> list[Piece]:
        """Samples of the source beside all their frames, those filled in that a track of this form leaves out."""
        shown = decoded
        if form.halved:
            shown = [self._filled(frames, kept) for frames, kept in zip(decoded, self._kept(form))]
        return [
            Piece(source[: len(frames)], frames, measured)
            for source, frames, (_, measured) in zip(self._source, shown, self._windows)
        ]

    def _filled(self, frames: list[Frame], numbers: list[int]) -> list[Frame]:
        with contextlib.ExitStack() as stack:
            return list(self._filling(frames, [n - numbers[0] for n in numbers], Clock(), stack))

    @functools.cached_property
    def _filling(self) -> Filling:
        return Filling(load(self.wanted.filling), self.stored.pixels, self.shape)

    def _kept(self, form: Form) -> list[list[int]]:
        """The numbers of the samples' frames that a track of this form keeps."""
        return [form.frames(window, self._frames) for window, _ in self._windows]

    def _thinned(self, form: Form) -> list[list[Frame]]:
        """The source's samples as far as a track of this form keeps them."""
        kept = zip(self._source, self._kept(form), self._windows)
        return [[frames[n - window.start] for n in numbers] for frames, numbers, (window, _) in kept]

    def _beside(self, decoded: Sequence[list[Frame]], form: Form) -> list[Piece]:
        shown = [list(resized(frames, self.stored.pixels, self.shape)) for frames in decoded]
        measured = [form.measured(measured) for _, measured in self._windows]
        return [Piece(*piece) for piece in zip(self._thinned(form), shown, measured)]

    @property
    def _frames(self) -> int:
        """How many there are: as many as were encoded, or as are counted for this."""
        if self._count is None:
            with self.original.frames() as frames:
                self._count = sum(1 for _ in frames)
        return self._count

    @functools.cached_property
    def _windows(self) -> list[tuple[range, slice]]:
        return windows(self._frames, self.stored.width * self.stored.height)

    @functools.cached_property
    def _source(self) -> list[list[Frame]]:
        """The source's samples, as the encoder takes them."""
        with self.original.frames() as frames:
            pieces = cut(frames, [window for window, _ in self._windows])
        pixels = self.original.info.pixels
        return [[converted(frame, pixels, self.stored.pixels) for frame in piece] for piece in pieces]

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
