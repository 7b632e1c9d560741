"""Biharmonic fill: holes are filled with the smoothest surface through the known pixels around them."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.push_pull import push_pull_fill
from vdiff_jax.stream.samples import bounding_box, mask_at_scale, plane_groups, to_samples

STEPS = 10
"""Jacobi steps. They solve the equation in holes a few pixels wide; wider ones keep the smooth push-pull fill."""
_STENCIL = np.array(
    [[0, 0, -1, 0, 0], [0, -2, 8, -2, 0], [-1, 8, 0, 8, -1], [0, -2, 8, -2, 0], [0, 0, -1, 0, 0]], np.float32
)
_STENCIL /= 20
_DAMPING, _MOMENTUM = 0.7, 0.4
_MARGIN = 16


def biharmonic_fill(plane: Shaped[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The plane with the masked samples filled; zero if no sample is known.

    Damped Jacobi steps with momentum on the biharmonic equation, starting from a push-pull fill.
    """
    filled = plane.astype(np.float32)
    box = bounding_box(mask, _MARGIN)
    if box is None:
        return filled
    part, hidden = filled[box], mask[box]
    part = np.ascontiguousarray(push_pull_fill(part[..., None], (~hidden).astype(np.float32))[..., 0])
    relax(part, np.flatnonzero(hidden), 0 if hidden.all() else STEPS)
    filled[box] = np.where(hidden, part, filled[box])
    return filled


def relax(plane: Float[np.ndarray, "h w"], holes: Int[np.ndarray, " n"], steps: int) -> Float[np.ndarray, "h w"]:
    """Moves samples towards what the biharmonic equation predicts, in place, and returns the plane.

    Args:
      plane: contiguous.
      holes: the positions of the samples in the flattened plane.
      steps: damped Jacobi steps with momentum.
    """
    samples = plane.reshape(-1)
    before = now = samples[holes]
    for _ in range(steps):
        step = _DAMPING * (biharmonic_prediction(plane).reshape(-1)[holes] - now) + _MOMENTUM * (now - before)
        before, now = now, now + step
        samples[holes] = now
    return plane


def biharmonic_prediction(plane: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Each sample as the biharmonic equation predicts it from its neighbours."""
    return cv2.filter2D(plane, -1, _STENCIL, borderType=cv2.BORDER_REFLECT_101)


def fill_frame(frame: Frame, mask: Bool[np.ndarray, "h w"], pixels: PixelFormat) -> Frame:
    """The frame with all planes but alpha filled; a chroma sample is unknown where any of its pixels is masked."""
    planes = list(frame.planes)
    for scale, numbers in plane_groups(pixels):
        hidden = mask_at_scale(mask, scale)
        for number in numbers:
            plane = planes[number]
            planes[number] = to_samples(biharmonic_fill(plane, hidden), plane.dtype, pixels)
    return dataclasses.replace(frame, planes=tuple(planes))
