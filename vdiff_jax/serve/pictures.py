"""Reads single frames for the page, and turns a painting on a frame into a mask."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from vdiff_jax import media
from vdiff_jax.errors import InputError, MaskError
from vdiff_jax.media.video import turn

Picture = UInt8[np.ndarray, "_ _ 3"]

LARGEST = 1280
"""The longest side of a picture on the page."""


def frame_at(name: str | Path, seconds: Fraction | float | int) -> Picture:
    """The frame of a video that is nearest to a time, rotated as a player shows it; after the end, the last frame.

    Raises:
      InputError: it can't be read.
    """
    info = media.probe(name)
    start = max(Fraction(0), Fraction(seconds) - 1 / (2 * info.rate))
    if info.duration is not None:
        start = min(start, max(Fraction(0), Fraction(info.duration) - Fraction(3, 2) / info.rate))
    with media.open_reader(name, start=start) as reader:
        for frame in reader:
            return upright(frame, reader.info)
    raise InputError(f"{Path(name).name} has no frame at {float(seconds):.2f} s")


def upright(frame: media.Frame, info: media.VideoInfo) -> Picture:
    """A frame in R'G'B', rotated as a player shows it. Non-square pixels are not stretched."""
    picture = media.picture_of(frame.planes, info.pixels, deep=False)
    picture = turn(picture, info.display_matrix)
    return np.ascontiguousarray(np.stack([picture] * 3, axis=-1) if picture.ndim == 2 else picture[..., :3])


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture in another width and height: averaged to make it smaller, bicubic to make it larger."""
    if picture.shape[1::-1] == size:
        return picture
    smaller = size[0] < picture.shape[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)


def fitted(picture: Picture, largest: int = LARGEST) -> Picture:
    """A picture whose longest side is no longer than `largest`."""
    height, width = picture.shape[:2]
    factor = min(1.0, largest / max(height, width))
    return resized(picture, (max(1, round(width * factor)), max(1, round(height * factor))))


def pair_at(
    before: str | Path, after: str | Path, seconds: float | int, slow: float | int = 1
) -> tuple[Picture, Picture]:
    """The frames of two videos at one time, both in the size of the second one, at most `LARGEST` pixels a side.

    Args:
      before, after: the videos.
      seconds: the time in `after`.
      slow: how many times slower `after` plays.
    """
    second = fitted(frame_at(after, seconds))
    return resized(frame_at(before, seconds / slow), second.shape[1::-1]), second


def painted(editor: dict[str, Any] | None, size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    """Where somebody has painted on a frame, in the video's width and height.

    Args:
      editor: the value of Gradio's ImageEditor: layers `h w 4`, uint8.
      size: width and height.

    Raises:
      MaskError: nothing, or everything, is painted over.
    """
    mask = np.zeros(size[::-1], bool)
    for layer in (editor or {}).get("layers", []):
        mask |= cv2.resize(layer[..., 3], size, interpolation=cv2.INTER_LINEAR) >= 128
    if not mask.any():
        raise MaskError("nothing is painted yet: paint over what is to be filled")
    if mask.all():
        raise MaskError("everything is painted over: leave something to repair the video from")
    return mask


def write_mask(mask: Bool[np.ndarray, "h w"], path: Path) -> Path:
    """Writes a mask as a picture, white where True."""
    media.write_picture(path, 255 * mask.astype(np.uint8))
    return path
