"""Samples: short runs of frames from which the encoder predicts the decoder's result for the whole video."""

import dataclasses
import functools
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vdiff_jax import media
from vdiff_jax.compression.interpolation import Interpolator
from vdiff_jax.compression.settings import Settings
from vdiff_jax.compression.source import Source, converted
from vdiff_jax.compression.track import Track, Variant, resize_frames
from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.weights import load

_FRAMES = 12
"""Frames of a sample."""
_FRAMES_IF_LARGE = 8
"""Frames of the only sample of a video whose frames are so large that `_FRAMES` of them exceed `_PIXELS`."""
_MARGIN = 2
"""Frames at either end of a sample that are not measured: in the whole video they would have more neighbours."""
_PIXELS, _MOST_PIXELS = 6_000_000, 24_000_000
"""The samples have an eighth of the video's pixels, but at least the first and at most the second number."""
_MOST = 8
"""The most samples."""


class Sample(NamedTuple):
    """A run of frames before and after coding.

    Attributes:
      source: the original frames, in the encoder's pixel format.
      decoded: the same frames after coding, in the source's size.
      measured: which of the frames count for quality.
    """

    source: list[Frame]
    decoded: list[Frame]
    measured: slice


def choose_windows(count: int, pixels: int) -> list[tuple[range, slice]]:
    """The frame numbers of each sample, and which of its frames are measured.

    Args:
      count: frames of the video.
      pixels: pixels of a frame.
    """
    length = _FRAMES if pixels * _FRAMES <= _PIXELS else _FRAMES_IF_LARGE
    most = np.clip(count * pixels // 8, _PIXELS, _MOST_PIXELS)
    samples = int(np.clip(most // (pixels * length), 1, _MOST))
    if count <= samples * length:
        return [(range(count), slice(None))]
    # Each sample is in the middle of its share of the video. It starts at an even frame, which every track keeps.
    starts = [2 * int(((n + 0.5) * count / samples - length / 2) / 2) for n in range(samples)]
    return [(range(start, start + length), slice(_MARGIN, length - _MARGIN)) for start in starts]


def split(samples: Sequence[Sample], pixels: int) -> tuple[list[Sample], list[Sample]]:
    """Some of the samples, at equal distances in the video, with about this many pixels in all; and the other samples.

    Args:
      samples: the samples, of the same size.
      pixels: the wanted pixels; at least part of a sample is taken: one that has more is cut to its middle.
    """
    if not samples:
        return [], []
    most = max(_FRAMES_IF_LARGE, pixels // samples[0].decoded[0].planes[0].size)
    length = min(_FRAMES, most, len(samples[0].decoded))
    count = min(len(samples), max(1, most // length))
    numbers = [int((n + 0.5) * len(samples) / count) for n in range(count)]
    chosen = [samples[n] if len(samples[n].decoded) <= most else _middle(samples[n], most) for n in numbers]
    return chosen, [sample for n, sample in enumerate(samples) if n not in numbers]


def _middle(sample: Sample, length: int) -> Sample:
    """The middle frames of a sample, all but its ends measured."""
    start = (len(sample.decoded) - length) // 4 * 2
    part = slice(start, start + length)
    return Sample(sample.source[part], sample.decoded[part], slice(_MARGIN, length - _MARGIN))


def cut(frames: Iterator[Frame], windows: Sequence[range]) -> list[list[Frame]]:
    """The frames of each window; the windows are in order and do not overlap."""
    runs, position = [], 0
    for window in windows:
        runs.append(list(itertools.islice(frames, window.start - position, window.stop - position)))
        position = window.stop
    return runs


class Sampler:
    """Takes samples of one source and of its tracks.

    Args:
      source: the source.
      coded: its properties as the encoder receives it.
      settings: the options of `compress`.

    Attributes:
      frame_count: the number of the source's frames; None until they were counted.
    """

    def __init__(self, source: Source, coded: media.VideoInfo, settings: Settings):
        self._source, self._coded, self._settings = source, coded, settings
        self._shape = source.info.height, source.info.width
        self.frame_count: int | None = None

    def of_track(self, track: Track) -> list[Sample]:
        """Samples of an encoded track: only the frames that it keeps, enlarged to the source's size."""
        numbers = track.variant.kept_frames(range(self._count), self._count)
        position = {number: place for place, number in enumerate(numbers)}
        windows = [range(position[kept[0]], position[kept[-1]] + 1) for kept in self._kept(track.variant)]
        with media.open_reader(track.path) as reader:
            return self._beside_source(cut(iter(reader), windows), track.variant)

    def encoded(self, crf: float, variant: Variant | None = None) -> tuple[list[Sample], int]:
        """Samples that are encoded separately, before any track, and an estimate of the whole track's bytes."""
        variant = variant or Variant(self._shape)
        info = dataclasses.replace(variant.info(self._coded), start=Fraction(0), stop=None, audio_lead=Fraction(0))
        decoded, size = [], 0
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sample.mp4"
            for frames in self._source_frames(variant):
                options = self._settings.encoder_options(crf)
                with media.open_writer(
                    path, info, codec=self._settings.codec.encoder, options=options, trial=True
                ) as writer:
                    for frame in resize_frames(frames, info.pixels, variant.shape):
                        writer.write(dataclasses.replace(frame, pts=frame.pts - frames[0].pts))
                size += media.video_bytes(path)
                with media.open_reader(path) as reader:
                    decoded.append(list(reader))
        share = sum(map(len, self._runs)) / self._count
        return self._beside_source(decoded, variant), round(size / share)

    def not_encoded(self, variant: Variant) -> list[Sample]:
        """Samples reduced to a variant's size and frames but not encoded: the best that such a track could show."""
        runs = self._source_frames(variant)
        return self._beside_source(
            [list(resize_frames(run, self._coded.pixels, variant.shape)) for run in runs], variant
        )

    def with_all_frames(self, shown: Sequence[list[Frame]], variant: Variant) -> list[Sample]:
        """Samples of all the source's frames; those that the variant leaves out are interpolated.

        Args:
          shown: each sample's frames as the decoder shows them, without the frames that the variant leaves out.
          variant: what the track keeps.
        """
        if variant.half_rate:
            shown = [self._interpolated(frames, kept) for frames, kept in zip(shown, self._kept(variant))]
        return [
            Sample(source[: len(frames)], frames, measured)
            for source, frames, (_, measured) in zip(self._runs, shown, self._windows)
        ]

    def _interpolated(self, frames: list[Frame], numbers: list[int]) -> list[Frame]:
        return list(self._interpolator(frames, [n - numbers[0] for n in numbers], Stopwatch()))

    @functools.cached_property
    def _interpolator(self) -> Interpolator:
        return Interpolator(load(self._settings.interpolation_weights), self._coded.pixels, self._shape)

    def _kept(self, variant: Variant) -> list[list[int]]:
        """For each sample the numbers of the frames that a track of this variant keeps."""
        return [variant.kept_frames(window, self._count) for window, _ in self._windows]

    def _source_frames(self, variant: Variant) -> list[list[Frame]]:
        """For each sample the source's frames that a track of this variant keeps."""
        runs = zip(self._runs, self._kept(variant), self._windows)
        return [[frames[n - window.start] for n in kept] for frames, kept, (window, _) in runs]

    def _beside_source(self, decoded: Sequence[list[Frame]], variant: Variant) -> list[Sample]:
        enlarged = [list(resize_frames(frames, self._coded.pixels, self._shape)) for frames in decoded]
        measured = [variant.kept_part(part) for _, part in self._windows]
        return [Sample(*sample) for sample in zip(self._source_frames(variant), enlarged, measured)]

    def extent(self, count: int) -> tuple[float, float]:
        """Millions of pixels of all samples, and their share of a video of `count` frames."""
        frames = sum(len(window) for window, _ in choose_windows(count, self._shape[0] * self._shape[1]))
        return frames * self._shape[0] * self._shape[1] / 1e6, frames / count

    @property
    def seconds(self) -> float:
        """The length of the source, at its mean frame rate."""
        return float(self._count / self._source.info.rate)

    @property
    def _count(self) -> int:
        """The number of the source's frames. They are counted here if no track was encoded yet."""
        if self.frame_count is None:
            with self._source.frames() as frames:
                self.frame_count = sum(1 for _ in frames)
        return self.frame_count

    @functools.cached_property
    def _windows(self) -> list[tuple[range, slice]]:
        return choose_windows(self._count, self._coded.width * self._coded.height)

    @functools.cached_property
    def _runs(self) -> list[list[Frame]]:
        """Each sample's source frames, all of them, in the encoder's pixel format."""
        with self._source.frames() as frames:
            runs = cut(frames, [window for window, _ in self._windows])
        pixels = self._source.info.pixels
        return [[converted(frame, pixels, self._coded.pixels) for frame in run] for run in runs]
