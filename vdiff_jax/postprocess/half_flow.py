"""The optical flow of the Wiener step: measured between half-size luma, enlarged for some rows of a plane."""

import functools

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.differences import integer_scale
from vdiff_jax.stream.dis import dense_flow

HalfFlow = Float[np.ndarray, "h2 w2 2"]
"""Displacements (x, y) in half-size pixels."""

_SMALLEST = 48
"""Pixels: in frames with a shorter side DIS cannot search, and motion is taken as zero."""
_LARGEST_FLOW = 1_200_000
"""Pixels: the flow of larger half-size pictures is measured in strips. Where it is wrong, the step takes less of it."""


def measured(
    meter: cv2.DISOpticalFlow, here: UInt8[np.ndarray, "h2 w2"], there: UInt8[np.ndarray, "h2 w2"]
) -> HalfFlow:
    """The flow from one half-size picture to another."""
    if min(here.shape) < _SMALLEST // 2:
        return np.zeros((*here.shape, 2), np.float32)
    return dense_flow(meter, here, there, most=_LARGEST_FLOW)


def half_size(luma: np.ndarray, pixels: PixelFormat) -> UInt8[np.ndarray, "h2 w2"]:
    """Half-size 8-bit luma."""
    height, width = luma.shape
    size = (-(-width // 2), -(-height // 2))
    half = integer_scale(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), pixels)
    return np.clip(half / (1 << (pixels.bits - 8)) + 0.5, 0, 255).astype(np.uint8)


def grid(rows: slice, width: int) -> Float[np.ndarray, "r w 2"]:
    """x and y of each point of some rows."""
    return _grid_of(rows.start, rows.stop, width)


@functools.lru_cache(maxsize=2)
def _grid_of(first: int, last: int, width: int) -> Float[np.ndarray, "r w 2"]:
    points = np.empty((last - first, width, 2), np.float32)
    points[..., 0] = np.arange(width, dtype=np.float32)
    points[..., 1] = np.arange(first, last, dtype=np.float32)[:, None]
    points.flags.writeable = False
    return points


def enlarged(flow: HalfFlow, seen: slice, rows: slice, shape: tuple[int, ...], half: int) -> Float[np.ndarray, "r w 2"]:
    """The flow in a plane's samples, for some of its rows.

    Args:
      flow: some rows of the half-size flow.
      seen: these rows.
      rows: of the plane.
      shape: of the plane.
      half: the height of the half-size flow.
    """
    if shape[:2] == (half, flow.shape[1]):
        return flow[rows.start - seen.start : rows.stop - seen.start]
    flow = flow * np.array([shape[1] / flow.shape[1], shape[0] / half], np.float32)
    if rows == slice(0, shape[0]):
        return cv2.resize(flow, shape[::-1], interpolation=cv2.INTER_LINEAR)
    wide = cv2.resize(flow, (shape[1], len(flow)), interpolation=cv2.INTER_LINEAR)
    y = np.clip((np.arange(rows.start, rows.stop) + 0.5) * (half / shape[0]) - 0.5, 0, half - 1)
    above = np.minimum(y.astype(int), half - 2)
    share = (y - above).astype(np.float32)[:, None, None]
    return wide[above - seen.start] * (1 - share) + wide[above + 1 - seen.start] * share
