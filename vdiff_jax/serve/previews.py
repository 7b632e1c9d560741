"""Writes short previews of videos that browsers can play."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from vdiff_jax import media
from vdiff_jax.media.colour import from_rgb
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.runtime.progress import Progress
from vdiff_jax.serve.pictures import Picture, fitted, resized, upright

SECONDS = 30
"""A preview shows the first this many seconds of a video."""
_PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2))
_ENCODER = {"codec": "h264", "options": {"crf": "16", "preset": "veryfast"}}
_SIDE = 640
"""The longest side of each picture of a pair."""


def write_preview(video: Path, target: Path, progress: Progress = lambda frames: None) -> Path:
    """Writes the beginning of a video as H.264 in an MP4 that browsers play."""
    with media.open_reader(video, stop=SECONDS) as reader:
        pictures = (fitted(upright(frame, reader.info)) for frame in reader)
        return write_pictures(pictures, target, reader.info.rate, progress)


def write_side_by_side(
    before: Path, after: Path, target: Path, *, slow: float | int = 1, progress: Progress = lambda frames: None
) -> Path:
    """Writes the beginning of two videos beside each other: the first on the left.

    Args:
      before, after: the videos.
      target: an MP4.
      slow: how many times slower `after` plays.
      progress: is called with the number of frames that are done.
    """
    with media.open_reader(after, stop=SECONDS) as reader:
        return write_pictures(_pairs(before, reader, slow), target, reader.info.rate, progress)


def _pairs(before: Path, after: media.VideoReader, slow: float | int) -> Iterator[np.ndarray]:
    """The frames of `after`, each beside the latest frame of `before` at its time."""
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(media.open_reader(before))
        times = ((frame.pts * reader.info.time_base, frame) for frame in reader)
        shown, coming = next(times), next(times, None)
        shift, first = shown[0], None
        for frame in after:
            first = frame.pts if first is None else first
            now = (frame.pts - first) * after.info.time_base / Fraction(slow) + Fraction(1, 1000)
            while coming is not None and coming[0] - shift <= now:
                shown, coming = coming, next(times, None)
            right = fitted(upright(frame, after.info), _SIDE)
            left = resized(upright(shown[1], reader.info), right.shape[1::-1])
            yield np.hstack([left, np.full((left.shape[0], 4, 3), 255, np.uint8), right])


def write_pictures(
    pictures: Iterable[Picture], target: Path, rate: Fraction, progress: Progress = lambda frames: None
) -> Path:
    """Writes pictures, R'G'B' and all of one size, as H.264 in an MP4."""
    pictures = iter(pictures)
    first = next(pictures)
    height, width = (side // 2 * 2 for side in first.shape[:2])
    rate = rate.limit_denominator(1001)
    info = media.VideoInfo(width=width, height=height, pixels=_PIXELS, rate=rate, time_base=1 / rate)
    with media.open_writer(target, info, trial=True, **_ENCODER) as writer:
        for number, picture in enumerate(itertools.chain([first], pictures)):
            rgb = picture[:height, :width].astype(np.float32) / 255
            writer.write(media.Frame(from_rgb(rgb, _PIXELS), number))
            progress(number + 1)
    return target
