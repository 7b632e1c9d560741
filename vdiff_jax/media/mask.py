"""Reading masks, which say which pixels of a video are to be filled."""

import contextlib
import functools
import logging
import math
import os
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from vdiff_jax.errors import InputError, MaskError
from vdiff_jax.media.clock import start_of
from vdiff_jax.media.colour import to_rgb
from vdiff_jax.media.pace import Rates, rates_in_time, shown_times
from vdiff_jax.media.read import VideoReader, open_reader
from vdiff_jax.media.sources import Source, is_picture
from vdiff_jax.media.video import Seconds, VideoInfo, turn_back
from vdiff_jax.pixels import LUMA_WEIGHTS, Frame, PixelFormat

logger = logging.getLogger(__name__)

_RED, _BLUE = LUMA_WEIGHTS["bt601"]
_LUMA = np.array([_RED, 1 - _RED - _BLUE, _BLUE], np.float32)


def read_mask(path: Source, info: VideoInfo, *, start: Seconds | None = None) -> "np.ndarray | MovingMask":
    """Reads a mask: True where it is at least half white and not transparent.

    Args:
        path: one picture for a still mask; a video, or a folder with one picture a frame, for a moving one.
        info: properties of the video.
        start: seconds of the video that are skipped, and of a moving mask too.

    Returns:
        The still mask, `h w` bool; or a `MovingMask` of one such mask a frame, to be closed at the end. The mask of a
        rotated video is given as the video is shown; it is turned to match the stored planes. Where pixels are not
        square, the mask may be as wide as the video is stored or as it is shown.

    Raises:
        MaskError: the mask does not exist, can't be read, or has another size than the video.
    """
    lead, rates = Fraction(0), None
    try:
        reader = open_reader(path, start=None if is_picture(path) else start, picture_rate=info.rate)
        if not is_picture(path):
            named, declared = (reader.info.path, info.path), (reader.info.rate, info.rate)
            rates = rates_in_time(named, declared, starts=True)
        if start and rates is not None and os.fspath(path) != "-":
            reader.close()
            reader, lead = _reader_at(path, info, start)
    except InputError as error:
        raise MaskError(f"the mask can't be read: {error}") from error
    try:
        _check_size(path, reader.info, info)
    except MaskError:
        reader.close()
        raise
    moving = MovingMask(reader, info, str(path), lead, rates)
    if not is_picture(path):
        return moving
    with moving:
        return next(iter(moving))


def mask_union(path: Source, info: VideoInfo, *, start: Seconds | None = None) -> np.ndarray | None:
    """The pixels that any picture of a mask covers, `h w` bool; reads the whole mask. None if a picture can't be read.

    Args:
        path: the mask.
        info: properties of the video.
        start: seconds of the video that are skipped, and of a moving mask too.
    """
    mask = read_mask(path, info, start=start)
    if not isinstance(mask, MovingMask):
        return mask
    with contextlib.suppress(MaskError, InputError), mask:
        return functools.reduce(np.logical_or, mask.pictures())
    return None


def _reader_at(path: Source, info: VideoInfo, start: Seconds) -> tuple[VideoReader, Fraction]:
    """A mask from the picture on that is shown at the first frame of a part, and the seconds between the two.

    Args:
        path: the mask.
        info: properties of the part of the video.
        start: where the part was asked to begin.
    """
    name = os.fspath(path)
    first = info.start - (Fraction(0) if info.path is None else start_of(info.path))
    if first < Fraction(start):  # pictures have no times
        first = math.ceil(Fraction(start).limit_denominator(1_000_000) * info.rate) / info.rate
    tolerance = 1 / (4 * info.rate)
    earlier = [time for time in shown_times(name) if time <= first + tolerance]
    reader = open_reader(path, start=max(Fraction(0), earlier[-1] - tolerance) if earlier else None)
    begins = reader.info.start - start_of(name) if earlier else Fraction(0)
    return reader, first - begins


class MovingMask:
    """One mask a frame, `h w` bool; a context manager that can be iterated once.

    Iterating past the last picture raises MaskError. So `zip(frames, masks)` fails if the video has more frames.

    Args:
        reader: the mask.
        info: properties of the video.
        name: the mask's name in messages.
        lead: seconds from the first picture that is read to the video's first frame.
        rates: of mask and video, where they are matched by time and not by the numbers of their pictures.
    """

    def __init__(
        self,
        reader: VideoReader,
        info: VideoInfo,
        name: str,
        lead: Fraction = Fraction(0),
        rates: Rates | None = None,
    ):
        self._reader = reader
        self._info = info
        self._name = name
        self._lead = lead
        self._rates = rates
        self._times: deque[Fraction] | None = None  # of frames that have passed and whose masks have not
        self.all_white = True
        """Whether every picture so far was white everywhere."""

    def following(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The video's frames, to be drawn in step with the masks: a mask of another rate is then matched by time."""
        if self._rates is None:
            yield from frames
            return
        logger.warning(
            "the mask %s has %.5g frames per second, the video %.5g: they are matched by time",
            *(self._name, *self._rates),
        )
        self._times = deque()
        for frame in frames:
            self._times.append(frame.pts * self._info.time_base)
            yield frame

    def __iter__(self) -> Iterator[np.ndarray]:
        count = 0
        for mask in self.pictures() if self._times is None else self._shown():
            count += 1
            self.all_white &= bool(mask.all())
            yield mask
        raise MaskError(
            f"the mask {self._name} has {count} pictures, the video has more frames: pass one picture for each frame"
        )

    def pictures(self) -> Iterator[np.ndarray]:
        """The masks of all pictures, without an error at the end."""
        return map(self._mask, self._reader)

    def _shown(self) -> Iterator[np.ndarray]:
        """The mask that is shown at each time in `_times`; it ends where the mask's last picture ends."""
        own = self._reader.info
        tolerance = min(1 / own.rate, 1 / self._info.rate) / 4  # stamps may be rounded
        pictures = iter(self._reader)
        here, after = None, next(pictures, None)
        origin = Fraction(0) if after is None else after.pts * own.time_base
        while self._times:
            time = self._times.popleft() + self._lead + tolerance
            while after is not None and after.pts * own.time_base <= max(time, origin):
                here, after = after, next(pictures, None)
            if here is None:
                return
            lasts = here.duration * own.time_base if here.duration else 1 / own.rate
            if after is None and time - tolerance >= here.pts * own.time_base + lasts:
                return
            yield self._mask(here)

    def _mask(self, picture: Frame) -> np.ndarray:
        matrix = self._info.display_matrix
        mask = _white(picture.planes, self._reader.info.pixels)
        if matrix is not None and not _is_stored(self._reader.info, self._info):
            mask = turn_back(mask, matrix)
        if (wide := mask.shape[1]) != self._info.width:
            mask = mask[:, (2 * np.arange(self._info.width) + 1) * wide // (2 * self._info.width)]
        assert mask.shape == (self._info.height, self._info.width)
        return np.ascontiguousarray(mask)

    def close(self) -> None:
        """Closes the mask's reader."""
        self._reader.close()

    def __enter__(self) -> "MovingMask":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _white(planes: tuple[np.ndarray, ...], pixels: PixelFormat) -> np.ndarray:
    """Where a picture is at least half white, `h w` bool."""
    if pixels.kind == "yuv":  # luma is the brightness
        low, high = (0, pixels.peak) if pixels.full_range else (16 << (pixels.bits - 8), 235 << (pixels.bits - 8))
        return planes[0] >= (low + high) / 2
    channels = to_rgb(planes, pixels)
    brightness = channels[..., :3] @ _LUMA
    return (brightness * channels[..., 3] if pixels.alpha else brightness) >= 0.5 - 1e-3


def _sizes(info: VideoInfo) -> set[tuple[int, int]]:
    """Width and height of a video's stored pictures, and of those with square pixels that players make of them."""
    return {(info.width, info.height), (round(info.width * (info.sample_aspect or 1)), info.height)}


def _shown_sizes(info: VideoInfo) -> set[tuple[int, int]]:
    """The sizes of the video after its rotation."""
    return {size[::-1] for size in _sizes(info)} if info.rotation in (90, 270) else _sizes(info)


def _is_stored(mask: VideoInfo, info: VideoInfo) -> bool:
    """Whether a rotated video's mask has the size of the stored pictures only, not of the shown ones."""
    return (mask.width, mask.height) in _sizes(info) - _shown_sizes(info)


def _check_size(path: Source, mask: VideoInfo, info: VideoInfo) -> None:
    if (mask.width, mask.height) not in _sizes(info) | _shown_sizes(info):
        raise MaskError(
            f"the mask {Path(path)} is {mask.width}x{mask.height}, the video {info.displayed_size[0]}x"
            f"{info.displayed_size[1]}: pass a mask of the video's size"
        )
