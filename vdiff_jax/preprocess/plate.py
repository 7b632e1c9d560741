"""Fills holes as an elastic plate would lie over them: biharmonic, with what is known as its edge."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Bool, Float, Shaped

from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.motion import spread

STEPS = 10
"""After which holes some pixels wide lie still; those that are wider are begun smoothly, and hardly bend."""
_BEND = np.array(
    [[0, 0, -1, 0, 0], [0, -2, 8, -2, 0], [-1, 8, 0, 8, -1], [0, -2, 8, -2, 0], [0, 0, -1, 0, 0]], np.float32
)
_BEND /= 20
_STRIDE, _MOMENTUM = 0.7, 0.4
_MARGIN = 16


def lay_over(plane: Shaped[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The plane with what the mask covers filled; where nothing at all is known, zero.

    Damped Jacobi steps with momentum on the biharmonic equation, begun from a push-pull fill.
    """
    filled = plane.astype(np.float32)
    box = box_of(mask, _MARGIN)
    if box is None:
        return filled
    part, hidden = filled[box], mask[box]
    part = spread(part[..., None], (~hidden).astype(np.float32))[..., 0]
    before = now = part[hidden]
    for _ in range(0 if hidden.all() else STEPS):
        step = _STRIDE * (bent(part)[hidden] - now) + _MOMENTUM * (now - before)
        before, now = now, now + step
        part[hidden] = now
    filled[box] = np.where(hidden, part, filled[box])
    return filled


def bent(plane: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Each sample as a plate over its neighbours would have it."""
    return cv2.filter2D(plane, -1, _BEND, borderType=cv2.BORDER_REFLECT_101)


def box_of(mask: Bool[np.ndarray, "h w"], margin: int) -> tuple[slice, slice] | None:
    """The rows and columns that hold all that the mask covers, and a margin; `None` for a mask of nothing."""
    sides = []
    for line in (mask.any(axis=1), mask.any(axis=0)):
        covered = np.flatnonzero(line)
        if not len(covered):
            return None
        sides.append(slice(max(0, int(covered[0]) - margin), int(covered[-1]) + 1 + margin))
    return sides[0], sides[1]


def fill_frame(frame: Frame, mask: Bool[np.ndarray, "h w"], pixels: PixelFormat) -> Frame:
    """All planes filled; a sample of chroma is unknown where any pixel that it stands for is."""
    planes = list(frame.planes)
    for scale, numbers in grids_of(pixels):
        hidden = covered(mask, scale)
        for number in numbers:
            plane = planes[number]
            planes[number] = rounded(lay_over(plane, hidden), plane.dtype, pixels)
    return dataclasses.replace(frame, planes=tuple(planes))


def grids_of(pixels: PixelFormat) -> list[tuple[tuple[int, int], tuple[int, ...]]]:
    """Pixels that a sample stands for (y, x), and the numbers of the planes that it does so in; alpha is left out."""
    if pixels.kind == "rgb":
        return [((1, 1), (0, 1, 2))]
    if pixels.kind == "gray":
        return [((1, 1), (0,))]
    x, y = pixels.subsampling
    return [((1, 1), (0, 1, 2))] if (x, y) == (1, 1) else [((1, 1), (0,)), ((y, x), (1, 2))]


def covered(mask: Bool[np.ndarray, "h w"], scale: tuple[int, int]) -> Bool[np.ndarray, "h2 w2"]:
    """Where a mask covers any of the pixels that a sample stands for."""
    if scale == (1, 1):
        return mask
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % scale[0]), (0, -width % scale[1])))
    return padded.reshape(-(-height // scale[0]), scale[0], -(-width // scale[1]), scale[1]).any(axis=(1, 3))


def unit(plane: np.ndarray, pixels: PixelFormat) -> float:
    """What a sample's step is in levels, as far as a guess's error is concerned."""
    return 1.0 if np.issubdtype(plane.dtype, np.floating) else 1.0 / pixels.peak


def rounded(values: np.ndarray, dtype: np.dtype, pixels: PixelFormat) -> np.ndarray:
    """As samples of this type."""
    if not np.issubdtype(dtype, np.floating):
        values = np.clip(np.rint(values), 0, pixels.peak)
    return values.astype(dtype)
