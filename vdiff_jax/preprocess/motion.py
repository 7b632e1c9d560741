"""Motion between neighbouring frames, by OpenCV's dense inverse search (DIS) on half-size luma."""

import dataclasses
from collections.abc import Sequence

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

    def displacement(self, here: "Seen", there: "Seen | None") -> Float[np.ndarray, "hv wv 2"]:
        """Where each pixel of one frame lies in another, in full-size pixels, on the velocity grid; 0 without another.

        Under a hole the motion around it is continued.
        """
        height, width = here.small.shape
        size = (width * 2 // VELOCITY_GRID, height * 2 // VELOCITY_GRID)
        if there is None or min(height, width) < _SMALLEST:
            return np.zeros((size[1], size[0], 2), np.float32)
        flow = self._flow.calc(here.small, there.small, None)
        field = 2.0 * cv2.resize(flow, size, interpolation=cv2.INTER_AREA)
        return field if here.known is None else spread(field, here.known)


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


@dataclasses.dataclass(frozen=True)
class Seen:
    """What motion is measured on: a frame's small picture, and where it was known (`None`: everywhere)."""

    small: UInt8[np.ndarray, "h2 w2"]
    known: Float[np.ndarray, "hv wv"] | None


def see(luma: Float[np.ndarray, "h w"], known: Float[np.ndarray, "h w"] | None = None) -> Seen:
    """Prepares a frame; holes are filled from around them, so that their edges don't count as structure."""
    if known is None or known.all():
        return Seen(shrink(luma), None)
    return Seen(shrink(spread(luma[..., None], known)[..., 0]), _on_velocity_grid(known))


def velocity(
    frames: Sequence[Seen], before: Seen | None = None, after: Seen | None = None
) -> Float[np.ndarray, "t hv wv 4"]:
    """The velocity field of an Observation for frames of one shot, all of which hold something.

    Args:
      frames: the clip.
      before: the frame before the first; without it nothing is known of where the first came from.
      after: the frame after the last.
    """
    meter = MotionMeter()
    line = [before, *frames, after]
    fields = []
    for index, here in enumerate(frames, start=1):
        pair = [meter.displacement(here, other) for other in (line[index - 1], line[index + 1])]
        fields.append(np.concatenate(pair, axis=-1))
    return np.stack(fields)


def _on_velocity_grid(known: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "hv wv"]:
    height, width = known.shape
    size = (width // VELOCITY_GRID, height // VELOCITY_GRID)
    return (cv2.resize(known, size, interpolation=cv2.INTER_AREA) > 0.7).astype(np.float32)
