"""Samples: short runs of frames from which the encoder predicts the decoder's result for the whole video."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from vdiff_jax import media
from vdiff_jax.compression.interpolation import Interpolator
from vdiff_jax.compression.settings import Settings
from vdiff_jax.compression.source import Source, converted
from vdiff_jax.compression.track import Track, Variant, resize_frames
from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.runtime.temporary import temporary_folder
from vdiff_jax.weights import load

_FRAMES = 12
"""Frames of a sample."""
_FRAMES_IF_LARGE = 8
"""Frames of a sample of a video whose frames are so large that `_FRAMES` of them exceed `_LEAST_PIXELS`."""
_MARGIN = 2
"""Frames at either end of a sample that are not measured: in the whole video they would have more neighbours."""
_LEAST_PIXELS = 6_000_000
_FITTED, _MOST_FITTED = 1 / 3, 64_000_000
"""The samples have this share of the video's pixels, but at least `_LEAST_PIXELS` and at most this many."""
_PROBED, _MOST_PROBED = 1 / 8, 24_000_000
"""The same for those samples that probes encode."""
_MOST = 8
"""The most samples."""


class Sample(NamedTuple):
    """A run of frames before and after coding.

    Attributes:
      source: the original frames, in the encoder's pixel format.
      decoded: the same frames after coding, in the source's size.
      measured: which of the frames count for quality.
      window: their numbers in the source, with those of frames that the track leaves out.
    """

    source: list[Frame]
    decoded: list[Frame]
    measured: slice
    window: range = range(0)


def choose_windows(count: int, pixels: int) -> list[range]:
    """The frame numbers of each sample.

    Args:
      count: frames of the video.
      pixels: pixels of a frame.
    """
    length = _FRAMES if pixels * _FRAMES <= _LEAST_PIXELS else _FRAMES_IF_LARGE
    samples = min(_MOST, _how_many(length * pixels, count * pixels * _FITTED, _MOST_FITTED))
    if count <= samples * length:
        return [range(count)]
    # Each sample is in the middle of its share of the video. It starts at an even frame, which every track keeps.
    starts = [2 * int(((n + 0.5) * count / samples - length / 2) / 2) for n in range(samples)]
    return [range(start, start + length) for start in starts]


def probed_windows(windows: Sequence[range], count: int, pixels: int) -> list[range]:
    """Those windows whose frames are encoded by probes; arguments as those of `choose_windows`, and its result."""
    samples = _how_many(len(windows[0]) * pixels, count * pixels * _PROBED, _MOST_PROBED)
    return [windows[n] for n in _spread(len(windows), min(samples, len(windows)))]


def _how_many(size: int, wanted: float, most: int) -> int:
    """How many samples of so many pixels have about as many pixels as wanted, within the limits; at least one."""
    return max(1, int(min(max(wanted, _LEAST_PIXELS), most) // size))


def _spread(total: int, count: int) -> list[int]:
    """Some of the numbers below a total, at equal distances."""
    return [int((n + 0.5) * total / count) for n in range(count)]


def measured_part(window: range, count: int) -> slice:
    """Which frames of a window are measured, in a video of `count` frames."""
    return slice(None) if len(window) == count else slice(_MARGIN, len(window) - _MARGIN)


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
    numbers = _spread(len(samples), min(len(samples), max(1, most // length)))
    chosen = [samples[n] if len(samples[n].decoded) <= most else _middle(samples[n], most) for n in numbers]
    return chosen, [sample for n, sample in enumerate(samples) if n not in numbers]


def _middle(sample: Sample, length: int) -> Sample:
    """The middle frames of a sample, all but its ends measured."""
    start = (len(sample.decoded) - length) // 4 * 2
    part, rate = slice(start, start + length), 1 if len(sample.window) == len(sample.decoded) else 2
    window = sample.window[rate * start : rate * (start + length - 1) + 1]
    return Sample(sample.source[part], sample.decoded[part], slice(_MARGIN, length - _MARGIN), window)


def cut(frames: Iterator[Frame], windows: Sequence[range]) -> list[list[Frame]]:
    """The frames of each window; the windows are in order and do not overlap."""
    runs, position = [], 0
    for window in windows:
        runs.append(list(itertools.islice(frames, window.start - position, window.stop - position)))
        position = window.stop
    return runs


class Extent(NamedTuple):
    """How much of a video its samples are.

    Attributes:
      megapixels: millions of pixels of all samples.
      probed: of those that probes encode.
      share: the part of the video that probes encode.
    """

    megapixels: float
    probed: float
    share: float


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
        numbers = track.variant.kept_frames(range(self.count), self.count)
        position = {number: place for place, number in enumerate(numbers)}
        kept = [track.variant.kept_frames(window, self.count) for window in self._windows]
        with media.open_reader(track.path) as reader:
            runs = cut(iter(reader), [range(position[each[0]], position[each[-1]] + 1) for each in kept])
        return self._beside_source(self._windows, runs, track.variant)

    def encoded(self, crf: float, variant: Variant | None = None) -> tuple[list[Sample], int]:
        """Samples that are encoded separately, before any track, and an estimate of the whole track's bytes."""
        variant = variant or Variant(self._shape)
        info = dataclasses.replace(variant.info(self._coded), start=Fraction(0), stop=None, audio_lead=Fraction(0))
        decoded, sizes = [], []
        with temporary_folder() as folder:
            path = Path(folder) / "sample.mp4"
            for window in self._probed:
                frames = self._source_frames(window, variant)
                options = self._settings.encoder_options(crf)
                with media.open_writer(
                    path, info, codec=self._settings.codec.encoder, options=options, trial=True
                ) as writer:
                    for frame in resize_frames(frames, info.pixels, variant.shape):
                        writer.write(dataclasses.replace(frame, pts=frame.pts - frames[0].pts))
                sizes.append(media.packet_sizes(path))
                with media.open_reader(path) as reader:
                    decoded.append(list(reader))
        kept = len(variant.kept_frames(range(self.count), self.count))
        return self._beside_source(self._probed, decoded, variant), media.expected_bytes(sizes, kept)

    def not_encoded(self, variant: Variant) -> list[Sample]:
        """Samples reduced to a variant's size and frames but not encoded: the best that such a track could show."""
        runs = [self._source_frames(window, variant) for window in self._probed]
        reduced = [list(resize_frames(run, self._coded.pixels, variant.shape)) for run in runs]
        return self._beside_source(self._probed, reduced, variant)

    def with_all_frames(
        self, samples: Sequence[Sample], shown: Sequence[list[Frame]], variant: Variant
    ) -> list[Sample]:
        """The samples with all the source's frames; those that the variant leaves out are interpolated.

        Args:
          samples: samples of a track.
          shown: their frames as the decoder shows them.
          variant: what the track keeps.
        """
        whole = []
        for sample, frames in zip(samples, shown, strict=True):
            window = sample.window
            if variant.half_rate:
                numbers = [n - window.start for n in variant.kept_frames(window, self.count)]
                frames = list(self._interpolator(frames, numbers, Stopwatch()))
            source = self._source_frames(window, Variant(self._shape))[: len(frames)]
            whole.append(Sample(source, frames, measured_part(window, self.count), window))
        return whole

    @functools.cached_property
    def _interpolator(self) -> Interpolator:
        return Interpolator(load(self._settings.interpolation_weights), self._coded.pixels, self._shape)

    def _source_frames(self, window: range, variant: Variant) -> list[Frame]:
        """The source's frames of a window that a track of this variant keeps."""
        return [self._frames[n] for n in variant.kept_frames(window, self.count)]

    def _beside_source(
        self, windows: Sequence[range], decoded: Sequence[list[Frame]], variant: Variant
    ) -> list[Sample]:
        samples = []
        for window, frames in zip(windows, decoded, strict=True):
            enlarged = list(resize_frames(frames, self._coded.pixels, self._shape))
            measured = variant.kept_part(measured_part(window, self.count))
            samples.append(Sample(self._source_frames(window, variant), enlarged, measured, window))
        return samples

    def extent(self, count: int) -> Extent:
        """How much of a video of `count` frames the samples are."""
        pixels = self._shape[0] * self._shape[1]
        windows = choose_windows(count, pixels)
        frames = sum(map(len, probed_windows(windows, count, pixels)))
        return Extent(sum(map(len, windows)) * pixels / 1e6, frames * pixels / 1e6, frames / count)

    @property
    def seconds(self) -> float:
        """The length of the source, at its mean frame rate."""
        return float(self.count / self._source.info.rate)

    @property
    def count(self) -> int:
        """The number of the source's frames. They are counted here if no track was encoded yet."""
        if self.frame_count is None:
            with self._source.frames() as frames:
                self.frame_count = sum(1 for _ in frames)
        return self.frame_count

    @functools.cached_property
    def _windows(self) -> list[range]:
        return choose_windows(self.count, self._coded.width * self._coded.height)

    @functools.cached_property
    def _probed(self) -> list[range]:
        return probed_windows(self._windows, self.count, self._coded.width * self._coded.height)

    @functools.cached_property
    def _frames(self) -> dict[int, Frame]:
        """The source's frames of all windows by their numbers, in the encoder's pixel format."""
        with self._source.frames() as frames:
            runs = cut(frames, self._windows)
        pixels, numbers = self._source.info.pixels, itertools.chain(*self._windows)
        return {n: converted(frame, pixels, self._coded.pixels) for n, frame in zip(numbers, itertools.chain(*runs))}
