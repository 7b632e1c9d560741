"""What reference pictures say of a video's chroma, and whether they are of its frames at all."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import ReferencePictureError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.colour import from_rgb
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.samples import luma_of

_ALIKE = 0.5
"""The least correlation of a reference's luma with its frame's."""
_FLAT = 4 / 255
"""A frame of less contrast is like any other."""
_GREY = 2.5 / 255
"""Chroma that is less off neutral, on average, is no colour."""

Pictures = Mapping[int, Float[np.ndarray, "h w 4"]]


def attach_references(
    prepared: Iterable[AnalysedFrame], pictures: Pictures, pixels: PixelFormat, *, force: bool = False
) -> Iterator[AnalysedFrame]:
    """The frames with what the pictures (R'G'B' and opacity, by the frame's number) say of their chroma.

    Raises:
      ReferencePictureError: a picture that doesn't show its frame (not asked with `force`), or of a frame that never
        came.
    """
    count, nothing = 0, None
    for item in prepared:
        if nothing is None:
            nothing = np.broadcast_to(np.float32(0), (*item.frame.planes[0].shape, 3))
        picture = pictures.get(count)
        if picture is None:
            yield dataclasses.replace(item, colours=nothing)
        else:
            if not force and not _shows(picture, luma_of(item.frame, pixels)):
                raise ReferencePictureError(
                    f"the reference for frame {count} doesn't show it, but another shot perhaps: "
                    "name its frame as N:PICTURE, or pass --force"
                )
            yield dataclasses.replace(item, colours=colours_of(picture, pixels))
        count += 1
    missing = [number for number in pictures if number >= count]
    if missing:
        raise ReferencePictureError(f"there is a reference for frame {missing[0]}, but there are {count} frames")


def colours_of(picture: Float[np.ndarray, "h w 4"], pixels: PixelFormat) -> Float[np.ndarray, "h w 3"]:
    """Cb and Cr in levels in the video's matrix, and 1 where the picture is opaque."""
    matrix = from_rgb(pixels.matrix if pixels.kind == "yuv" else "bt601")
    known = (picture[..., 3:] > 0.5).astype(np.float32)
    return np.concatenate([(picture[..., :3] @ matrix[1:].T + 0.5) * known, known], axis=-1)


def has_colours(frames: Iterable[Frame], pixels: PixelFormat) -> bool:
    """Whether any of the frames is more than grey."""
    return any(_colourfulness(frame, pixels) > _GREY for frame in frames)


def _colourfulness(frame: Frame, pixels: PixelFormat) -> float:
    """How far chroma is off neutral, in levels, on average."""
    if pixels.kind == "gray":
        return 0.0
    planes = [np.asarray(plane, np.float32) for plane in frame.planes[:3]]
    peak = 1.0 if np.issubdtype(frame.planes[0].dtype, np.floating) else float(pixels.peak)
    if pixels.kind == "rgb":
        return float(np.ptp(np.stack(planes), axis=0).mean() / peak) / 2
    neutral = 1 << (pixels.bits - 1)
    return float(np.mean([np.abs(plane - neutral).mean() for plane in planes[1:]]) / peak)


def _shows(picture: Float[np.ndarray, "h w 4"], luma: Float[np.ndarray, "h w"]) -> bool:
    """Whether a picture's structure is that of a frame, whatever was done to its brightness."""
    opaque = picture[..., 3] > 0.5
    theirs = cv2.resize(picture[..., :3] @ from_rgb("bt601")[0], (64, 36), interpolation=cv2.INTER_AREA)
    ours = cv2.resize(luma, (64, 36), interpolation=cv2.INTER_AREA)
    if not opaque.all() or min(theirs.std(), ours.std()) < _FLAT:
        return True
    return float(np.corrcoef(theirs.ravel(), ours.ravel())[0, 1]) > _ALIKE
