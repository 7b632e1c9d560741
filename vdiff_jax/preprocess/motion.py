"""Motion between neighbouring frames, by OpenCV's dense inverse search (DIS) on half-size luma."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.observation import VELOCITY_GRID

_SMALLEST = 24
"""Frames with a half-size side under this hold too little to search in."""


class MotionMeter:
    """Measures displacement between frames given one by one; keeps nothing but two small pictures.

    Source: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
    """

    def __init__(self) -> None:
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._flow.setFinestScale(1)

    def displacement(
        self, here: UInt8[np.ndarray, "h w"], there: UInt8[np.ndarray, "h w"]
    ) -> Float[np.ndarray, "hv wv 2"]:
        """Where each pixel of one small picture lies in the other, in full-size pixels, on the velocity grid."""
        height, width = here.shape
        size = (width * 2 // VELOCITY_GRID, height * 2 // VELOCITY_GRID)
        if min(height, width) < _SMALLEST:
            return np.zeros((size[1], size[0], 2), np.float32)
        return 2.0 * cv2.resize(self._flow.calc(here, there, None), size, interpolation=cv2.INTER_AREA)


def shrink(luma: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h2 w2"]:
    """The half-size, slightly smoothed picture that motion is measured on."""
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.clip(cv2.GaussianBlur(half, (0, 0), 0.8) * 255.0 + 0.5, 0, 255).astype(np.uint8)


def spread(image: Float[np.ndarray, "h w c"], known: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w c"]:
    """Fills what is unknown from what is known around it, coarse to fine; zero where nothing is known."""
    if known.all() or not known.any():
        return image * (known > 0)[..., None]
    height, width = known.shape
    size = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(image * known[..., None], size, interpolation=cv2.INTER_AREA).reshape(*weight.shape, -1)
    coarse = spread(total / np.maximum(weight, 1e-6)[..., None], (weight > 1e-3).astype(np.float32))
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(image.shape)
    return known[..., None] * image + (1 - known[..., None]) * smooth


def velocity(
    luma: Float[np.ndarray, "t h w"], known: Float[np.ndarray, "t h w"] | None = None
) -> Float[np.ndarray, "t hv wv 4"]:
    """The velocity field of an Observation for a clip within one shot, all of whose frames hold something.

    Args:
      luma: in [0, 1].
      known: 1 where luma was measured; motion under a hole is continued from around it.
    """
    small, seen = [], []
    for index, frame in enumerate(luma):
        if known is None or known[index].all():
            small.append(shrink(frame))
            seen.append(None)
        else:
            small.append(shrink(spread(frame[..., None], known[index])[..., 0]))
            seen.append(_on_velocity_grid(known[index]))
    meter = MotionMeter()
    count, height, width = luma.shape
    field = np.zeros((count, height // VELOCITY_GRID, width // VELOCITY_GRID, 4), np.float32)
    for t in range(1, count):
        field[t, ..., :2] = _continued(meter.displacement(small[t], small[t - 1]), seen[t])
        field[t - 1, ..., 2:] = _continued(meter.displacement(small[t - 1], small[t]), seen[t - 1])
    return field


def _on_velocity_grid(known: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "hv wv"]:
    height, width = known.shape
    size = (width // VELOCITY_GRID, height // VELOCITY_GRID)
    return (cv2.resize(known, size, interpolation=cv2.INTER_AREA) > 0.7).astype(np.float32)


def _continued(field: Float[np.ndarray, "hv wv 2"], seen: Float[np.ndarray, "hv wv"] | None):
    return field if seen is None else spread(field, seen)
