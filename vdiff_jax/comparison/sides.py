"""The two sides of a comparison: their frames as they are shown, side by side."""

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vdiff_jax import media
from vdiff_jax.errors import FormatError
from vdiff_jax.media.arrays import check_clip
from vdiff_jax.media.colour import convert
from vdiff_jax.media.filters import scaled
from vdiff_jax.media.video import turn
from vdiff_jax.pixels import Frame, PixelFormat

log = logging.getLogger(__name__)

Video = np.ndarray | str | Path
Pair = tuple[Frame, Frame]
"""A frame of the reference, and the same frame of the test."""
Size = tuple[int, int]


class Side(NamedTuple):
    """One of the two videos.

    Attributes:
      name: its name in messages.
      frames: its frames, turned upright.
      pixels: their format.
      size: their width and height.
      aspect: width to height of a pixel; None if unspecified.
      rate: frames per second; None for an array.
      time_base: seconds per unit of `Frame.pts`.
      path: its file, if it is one.
    """

    name: str
    frames: Iterator[Frame]
    pixels: PixelFormat
    size: Size
    aspect: Fraction | None = None
    rate: Fraction | None = None
    time_base: Fraction = Fraction(1, 25)
    path: str | None = None

    @property
    def shown_size(self) -> Size:
        """Width and height of the picture that a player shows."""
        width, height = self.size
        return round(width * (self.aspect or 1)), height


def open_side(video: Video, name: str, stack: contextlib.ExitStack) -> Side:
    """Opens a video, or takes an array; `name` is the array's name in messages.

    Raises:
      InputError: the video can't be read.
      ClipError: the array is not a clip.
    """
    if isinstance(video, str | Path):
        reader = stack.enter_context(media.open_reader(video))
        return _upright(reader, str(video))
    clip = np.asarray(video)
    check_clip(clip)
    if clip.dtype != np.uint8:
        clip = np.rint(np.clip(clip, 0, 1) * 65535).astype(np.uint16)
    bits = 8 * clip.dtype.itemsize
    pixels = PixelFormat(kind="rgb" if clip.shape[-1] == 3 else "gray", bits=bits, full_range=True)
    frames = (Frame(tuple(np.moveaxis(frame, -1, 0)), n) for n, frame in enumerate(clip))
    return Side(name, frames, pixels, (clip.shape[2], clip.shape[1]))


def _upright(reader: media.VideoReader, name: str) -> Side:
    """A side whose frames are rotated and mirrored as its display matrix says."""
    info = reader.info
    matrix, pixels, aspect = info.display_matrix, info.pixels, info.sample_aspect
    sideways = info.rotation in (90, 270)
    if sideways and pixels.subsampling[0] != pixels.subsampling[1]:  # chroma would be subsampled along the other axis
        pixels = dataclasses.replace(pixels, subsampling=(1, 1))

    def turned(frame: Frame) -> Frame:
        planes = convert(frame.planes, info.pixels, pixels)
        return dataclasses.replace(frame, planes=tuple(np.ascontiguousarray(turn(plane, matrix)) for plane in planes))

    if pixels.alpha:
        log.warning("%s is transparent in places: only colours are compared", name)
    frames = iter(reader) if matrix is None else map(turned, reader)
    aspect = 1 / aspect if aspect and sideways else aspect
    return Side(name, frames, pixels, info.displayed_size, aspect, info.rate, info.time_base, info.path)


def match_sizes(reference: Side, test: Side) -> tuple[Side, Side]:
    """The sides in one size. Where pixels are not square, one side is scaled to the size that it is shown in.

    Raises:
      FormatError: they are shown in different sizes.
    """
    same_aspect = (reference.aspect or 1) == (test.aspect or 1)
    if reference.size == test.size and same_aspect:
        return reference, test
    if reference.size == test.size and None in (reference.aspect, test.aspect):
        log.warning(
            "%s and %s have different sample aspect ratios (%s and %s): their stored pictures are compared",
            *(reference.name, test.name, reference.aspect or "unspecified", test.aspect or "unspecified"),
        )
        return reference, test
    shown, test_shown = reference.shown_size, test.shown_size
    if same_aspect or max(abs(a - b) for a, b in zip(shown, test_shown)) > 1:
        raise FormatError(
            f"{reference.name} is {_text(reference)}, {test.name} is {_text(test)}: "
            "scale one of them to the other's size first"
        )
    size = test.size if (test.aspect or 1) == 1 else reference.size if (reference.aspect or 1) == 1 else shown
    log.warning("pixels are not square: pictures are compared in %dx%d, the size that is shown", *size)
    return _scaled(reference, size), _scaled(test, size)


def _text(side: Side) -> str:
    stored = "{}x{}".format(*side.size)
    shown = "{}x{}".format(*side.shown_size)
    return stored if stored == shown else f"{shown} as shown (stored as {stored}, sample aspect ratio {side.aspect})"


def _scaled(side: Side, size: Size) -> Side:
    if side.size == size:
        return side
    return side._replace(frames=scaled(side.frames, side.pixels, size), size=size, aspect=Fraction(1))


def pairs(reference: Side, test: Side) -> Iterator[Pair]:
    """The frames of both sides side by side, as many as the shorter one has; by time where their rates differ."""
    rates = None
    if reference.rate and test.rate:
        rates = media.rates_in_time((reference.path, test.path), (reference.rate, test.rate))
    if rates is not None:
        log.warning(
            "%s has %.5g frames per second, %s has %.5g: frames are matched by time",
            *(reference.name, rates[0], test.name, rates[1]),
        )
        reference, test = reference._replace(rate=rates[0]), test._replace(rate=rates[1])
        if rates[0] < rates[1]:
            yield from _by_time(reference, test)
        else:
            yield from ((first, second) for second, first in _by_time(test, reference))
        return
    for number, pair in enumerate(itertools.zip_longest(reference.frames, test.frames)):
        if pair[0] is None or pair[1] is None:
            longer = test if pair[0] is None else reference
            log.warning("%s has more frames: the first %d are compared", longer.name, number)
            return
        yield pair


def _by_time(slow: Side, fast: Side) -> Iterator[Pair]:
    """Each frame of the slower side with the nearest one of the faster side, both counted from their first frames."""
    assert slow.rate is not None
    assert fast.rate is not None
    tolerance = 1 / (4 * fast.rate)  # stamps may be rounded
    candidates = _timed(fast)
    here = next(candidates, None)
    after = next(candidates, None)
    for number, (time, frame) in enumerate(_timed(slow)):
        while here and after and abs(after[0] - time) <= abs(here[0] - time):
            here, after = after, next(candidates, None)
        if here is None or (after is None and time - here[0] > 1 / fast.rate - tolerance):
            log.warning("%s lasts longer: its first %d frames are compared", slow.name, number)
            return
        yield frame, here[1]
    rest = candidates if after is None else itertools.chain([after], candidates)
    if any(shown - time > 1 / slow.rate - tolerance for shown, _ in rest):
        log.warning("%s lasts longer: the first %d frames of %s are compared", fast.name, number + 1, slow.name)


def _timed(side: Side) -> Iterator[tuple[Fraction, Frame]]:
    """A side's frames with their seconds since the first one."""
    first = None
    for frame in side.frames:
        first = frame.pts if first is None else first
        yield (frame.pts - first) * side.time_base, frame


def chunks(items: Iterable[Pair], count: int) -> Iterator[list[Pair]]:
    """The pairs in lists of `count`; the last list may be shorter."""
    items = iter(items)
    while chunk := list(itertools.islice(items, count)):
        yield chunk
