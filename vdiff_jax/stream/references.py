"""Reference pictures for colorize: their chroma in a video's matrix, and whether they match their frames."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import ReferencePictureError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.colour import from_rgb
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.samples import luma_of, peak_sample

_LEAST_CORRELATION = 0.5
"""The lowest correlation of a reference's luma with that of the frame it shows."""
_FLAT = 4 / 255
"""Frames with less contrast than this are not compared: they look like any other."""
_GREY = 2.5 / 255
"""Chroma nearer to neutral than this, on average, counts as grey."""

Pictures = Mapping[int, Float[np.ndarray, "h w 4"]]
"""R'G'B' and opacity in [0, 1], by the number of the frame that a picture shows."""


def attach_references(
    frames: Iterable[AnalysedFrame], pictures: Pictures, pixels: PixelFormat, *, force: bool = False
) -> Iterator[AnalysedFrame]:
    """The frames with the chroma of their reference pictures in `colours`.

    Args:
      frames: a video's frames in order, counted from 0.
      pictures: the references.
      pixels: the frames' pixel format.
      force: skip the check that a picture shows its frame.

    Raises:
      ReferencePictureError: a picture does not show its frame, or there is no such frame.
    """
    count, nothing = 0, None
    for item in frames:
        if nothing is None:
            nothing = np.broadcast_to(np.float32(0), (*item.frame.planes[0].shape, 3))
        picture = pictures.get(count)
        if picture is None:
            yield dataclasses.replace(item, colours=nothing)
        else:
            if not force and not _matches(picture, luma_of(item.frame, pixels)):
                raise ReferencePictureError(
                    f"the reference for frame {count} doesn't show it; it may be of another shot: "
                    "name its frame as N:PICTURE, or pass --force"
                )
            yield dataclasses.replace(item, colours=colours_of(picture, pixels))
        count += 1
    missing = [number for number in pictures if number >= count]
    if missing:
        raise ReferencePictureError(
            f"there is a reference for frame {missing[0]}, but the video has the frames 0 to {count - 1}"
        )


def colours_of(picture: Float[np.ndarray, "h w 4"], pixels: PixelFormat) -> Float[np.ndarray, "h w 3"]:
    """Cb and Cr of a picture in the video's matrix, in [0, 1], and 1 where it is opaque (0 elsewhere)."""
    matrix = from_rgb(pixels.matrix if pixels.kind == "yuv" else "bt601")
    known = (picture[..., 3:] > 0.5).astype(np.float32)
    return np.concatenate([(picture[..., :3] @ matrix[1:].T + 0.5) * known, known], axis=-1)


def has_colours(frames: Iterable[Frame], pixels: PixelFormat) -> bool:
    """Whether any of the frames has colours."""
    return any(_mean_chroma(frame, pixels) > _GREY for frame in frames)


def _mean_chroma(frame: Frame, pixels: PixelFormat) -> float:
    """The mean distance of chroma from neutral, in [0, 1]."""
    if pixels.kind == "gray":
        return 0.0
    planes = [np.asarray(plane, np.float32) for plane in frame.planes[:3]]
    peak = peak_sample(frame.planes[0], pixels)
    if pixels.kind == "rgb":
        return float(np.ptp(np.stack(planes), axis=0).mean() / peak) / 2
    neutral = 1 << (pixels.bits - 1)
    return float(np.mean([np.abs(plane - neutral).mean() for plane in planes[1:]]) / peak)


def _matches(picture: Float[np.ndarray, "h w 4"], luma: Float[np.ndarray, "h w"]) -> bool:
    """Whether a picture has the structure of a frame; their brightness may differ."""
    opaque = picture[..., 3] > 0.5
    theirs = cv2.resize(picture[..., :3] @ from_rgb("bt601")[0], (64, 36), interpolation=cv2.INTER_AREA)
    ours = cv2.resize(luma, (64, 36), interpolation=cv2.INTER_AREA)
    if not opaque.all() or min(theirs.std(), ours.std()) < _FLAT:
        return True
    return float(np.corrcoef(theirs.ravel(), ours.ravel())[0, 1]) > _LEAST_CORRELATION
