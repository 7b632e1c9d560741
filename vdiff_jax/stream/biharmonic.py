"""Fills holes as an elastic plate would lie over them: biharmonic, with what is known as its edge."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Bool, Float, Shaped

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.push_pull import push_pull_fill
from vdiff_jax.stream.samples import box_of, covered, grids_of, rounded

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
    part = push_pull_fill(part[..., None], (~hidden).astype(np.float32))[..., 0]
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


def fill_frame(frame: Frame, mask: Bool[np.ndarray, "h w"], pixels: PixelFormat) -> Frame:
    """All planes filled; a sample of chroma is unknown where any pixel that it stands for is."""
    planes = list(frame.planes)
    for scale, numbers in grids_of(pixels):
        hidden = covered(mask, scale)
        for number in numbers:
            plane = planes[number]
            planes[number] = rounded(lay_over(plane, hidden), plane.dtype, pixels)
    return dataclasses.replace(frame, planes=tuple(planes))
