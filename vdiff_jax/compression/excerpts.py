"""Samples of a source beside what tracks make of them."""

import dataclasses
import functools
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from vdiff_jax import media
from vdiff_jax.compression.form import Form
from vdiff_jax.compression.interpolation import Filling
from vdiff_jax.compression.resolution import in_form, resized
from vdiff_jax.compression.samples import Piece, cut, windows
from vdiff_jax.compression.source import Original, converted
from vdiff_jax.compression.track import Track, Wanted
from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.weights import load


class Excerpts:
    """Samples of one source.

    Args:
      original: the source.
      stored: its properties as the encoder takes it.
      wanted: what was asked for.

    Attributes:
      frames: how many the source has, where that is known.
    """

    def __init__(self, original: Original, stored: media.VideoInfo, wanted: Wanted):
        self._original, self._stored, self._wanted = original, stored, wanted
        self._size = original.info.height, original.info.width
        self.frames: int | None = None

    def of(self, track: Track) -> list[Piece]:
        """Samples of the source beside those of the track, in the source's size: of the frames that it keeps."""
        numbers = track.form.frames(range(self._count), self._count)
        first = {number: place for place, number in enumerate(numbers)}
        windows = [range(first[kept[0]], first[kept[-1]] + 1) for kept in self._kept(track.form)]
        with media.open_reader(track.path) as reader:
            return self._beside(cut(iter(reader), windows), track.form)

    def alone(self, crf: float, form: Form | None = None) -> tuple[list[Piece], int]:
        """Samples of the source beside the same encoded alone, and the bytes that the whole track would take, about."""
        form = form or Form(self._size)
        info = dataclasses.replace(in_form(self._stored, form), start=Fraction(0), stop=None, audio_lead=Fraction(0))
        decoded, size = [], 0
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "piece.mp4"
            for frames in self._thinned(form):
                options = self._wanted.options(crf)
                with media.open_writer(path, info, codec=self._wanted.codec.encoder, options=options) as writer:
                    for frame in resized(frames, info.pixels, form.shape):
                        writer.write(dataclasses.replace(frame, pts=frame.pts - frames[0].pts))
                size += media.video_bytes(path)
                with media.open_reader(path) as reader:
                    decoded.append(list(reader))
        share = sum(map(len, self._source)) / self._count
        return self._beside(decoded, form), round(size / share)

    def uncoded(self, form: Form) -> list[Piece]:
        """Samples of the source beside what is left of them in another form."""
        pixels = self._stored.pixels
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
        return list(self._filling(frames, [n - numbers[0] for n in numbers], Stopwatch()))

    @functools.cached_property
    def _filling(self) -> Filling:
        return Filling(load(self._wanted.filling), self._stored.pixels, self._size)

    def _kept(self, form: Form) -> list[list[int]]:
        """The numbers of the samples' frames that a track of this form keeps."""
        return [form.frames(window, self._count) for window, _ in self._windows]

    def _thinned(self, form: Form) -> list[list[Frame]]:
        """The source's samples as far as a track of this form keeps them."""
        kept = zip(self._source, self._kept(form), self._windows)
        return [[frames[n - window.start] for n in numbers] for frames, numbers, (window, _) in kept]

    def _beside(self, decoded: Sequence[list[Frame]], form: Form) -> list[Piece]:
        shown = [list(resized(frames, self._stored.pixels, self._size)) for frames in decoded]
        measured = [form.measured(measured) for _, measured in self._windows]
        return [Piece(*piece) for piece in zip(self._thinned(form), shown, measured)]

    @property
    def _count(self) -> int:
        """How many frames there are: as many as were encoded, or as are counted for this."""
        if self.frames is None:
            with self._original.frames() as frames:
                self.frames = sum(1 for _ in frames)
        return self.frames

    @functools.cached_property
    def _windows(self) -> list[tuple[range, slice]]:
        return windows(self._count, self._stored.width * self._stored.height)

    @functools.cached_property
    def _source(self) -> list[list[Frame]]:
        """The source's samples, as the encoder takes them."""
        with self._original.frames() as frames:
            pieces = cut(frames, [window for window, _ in self._windows])
        pixels = self._original.info.pixels
        return [[converted(frame, pixels, self._stored.pixels) for frame in piece] for piece in pieces]
