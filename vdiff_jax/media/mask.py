"""Reading masks, which say which pixels of a video are to be filled."""

import contextlib
import functools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vdiff_jax.errors import InputError, MaskError
from vdiff_jax.media.colour import to_rgb
from vdiff_jax.media.read import VideoReader, is_picture, open_reader
from vdiff_jax.media.sources import Source
from vdiff_jax.media.video import Seconds, VideoInfo, turn_back
from vdiff_jax.pixels import LUMA_WEIGHTS, PixelFormat

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
        rotated video is given as the video is shown; it is turned to match the stored planes.

    Raises:
        MaskError: the mask does not exist, can't be read, or has another size than the video.
    """
    try:
        reader = open_reader(path, start=None if is_picture(path) else start, picture_rate=info.rate)
    except InputError as error:
        raise MaskError(f"the mask can't be read: {error}") from error
    try:
        _check_size(path, reader.info, info)
    except MaskError:
        reader.close()
        raise
    moving = MovingMask(reader, info, str(path))
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


class MovingMask:
    """One mask a frame, `h w` bool; a context manager that can be iterated once.

    Iterating past the last picture raises MaskError. So `zip(frames, masks)` fails if the video has more frames.
    """

    def __init__(self, reader: VideoReader, info: VideoInfo, name: str):
        self._reader = reader
        self._info = info
        self._name = name
        self.all_white = True
        """Whether every picture so far was white everywhere."""

    def __iter__(self) -> Iterator[np.ndarray]:
        count = 0
        for mask in self.pictures():
            count += 1
            self.all_white &= bool(mask.all())
            yield mask
        raise MaskError(
            f"the mask {self._name} has {count} pictures, the video has more frames: give one picture a frame"
        )

    def pictures(self) -> Iterator[np.ndarray]:
        """The masks of all pictures, without an error at the end."""
        matrix = self._info.display_matrix
        stored = (self._info.height, self._info.width)
        for frame in self._reader:
            mask = _white(frame.planes, self._reader.info.pixels)
            if matrix is not None and not _is_stored(self._reader.info, self._info):
                mask = turn_back(mask, matrix)
            assert mask.shape == stored
            yield np.ascontiguousarray(mask)

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


def _is_stored(mask: VideoInfo, info: VideoInfo) -> bool:
    """Whether a rotated video's mask has the size of the stored pictures only, not of the shown ones."""
    size = (mask.width, mask.height)
    return size == (info.width, info.height) and size != info.displayed_size


def _check_size(path: Source, mask: VideoInfo, info: VideoInfo) -> None:
    size = (mask.width, mask.height)
    if size not in ((info.width, info.height), info.displayed_size):
        raise MaskError(
            f"the mask {Path(path)} is {mask.width}x{mask.height}, the video {info.displayed_size[0]}x"
            f"{info.displayed_size[1]}: they must be the same size"
        )
