"""Old film: finds dust, dirt, drop-outs and scratches."""

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.brightness import CUT, even_brightness
from vdiff_jax.stream.flow import FlowFrame, MotionMeter
from vdiff_jax.stream.samples import luma_of
from vdiff_jax.stream.shots import change, thumbnail
from vdiff_jax.stream.warp import warp

SPIKE = 0.07
"""A pixel is a spike if it differs by more than this, in [0, 1], from its surroundings in both neighbouring frames."""
TEXTURE = 0.3
"""The same threshold rises by this share of the local contrast: fine detail flickers as it moves."""
SPECK = 3
"""Fewer connected spikes than these, in pixels, are fine detail too."""
CROWDED = 0.15
"""A larger share of spikes around a pixel means that the flow failed there."""
APART = 0.04
"""Where the two neighbouring frames differ by more than this, in [0, 1], the flow failed too."""
HIGH = 0.2
"""But not where they differ by less than this share of the spike's height."""
_CROWD_WINDOW = 49
_CONTRAST_WINDOW = (9, 9)
_APART_WINDOW = np.ones((9, 9), np.uint8)
_GROWTH = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_NEAREST = np.ones((3, 3), np.uint8)
_SCRATCH_CONTRAST = 0.03
"""The least mean contrast of a scratch, in [0, 1]."""
_SCRATCH_SIDES = [np.array([[1, 0, shift], [0, 1, 0]], np.float32) for shift in (-3, 3)]
"""Shifts to the pixels on both sides of a scratch."""


def damage_mask(
    before: Float[np.ndarray, "h w"] | None, here: Float[np.ndarray, "h w"], after: Float[np.ndarray, "h w"] | None
) -> Bool[np.ndarray, "h w"]:
    """Where a frame's luma has scratches, or something that neither neighbour has along the flow; slightly grown.

    A pixel counts as damaged where it is lighter, or darker, than the 3×3 pixels around its place in both neighbours,
    by `SPIKE` and more where contrast is high: the rank-order difference detector (Nadenau and Mitra 1997) with the
    SDIa's condition (Kokaram 1998). Without two neighbours only scratches are found.

    Args:
      before, after: the neighbouring frames' luma; `None` at the ends of a shot.
      here: the frame's luma in [0, 1].
    """
    found = scratches(here)
    if before is not None and after is not None:
        neighbours = [_warped_to(here, other) for other in (before, after)]
        lightest = np.max([cv2.dilate(frame, _NEAREST) for frame in neighbours], axis=0)
        darkest = np.min([cv2.erode(frame, _NEAREST) for frame in neighbours], axis=0)
        threshold = SPIKE + TEXTURE * cv2.blur(lightest - darkest, _CONTRAST_WINDOW)
        height = np.maximum(here - lightest, darkest - here)
        spikes = height > threshold
        crowd = cv2.boxFilter(spikes.astype(np.float32), -1, (_CROWD_WINDOW, _CROWD_WINDOW))
        apart = np.abs(cv2.blur(neighbours[0], (5, 5)) - cv2.blur(neighbours[1], (5, 5)))
        flow_is_right = cv2.dilate(apart, _APART_WINDOW) < np.maximum(APART, HIGH * height)
        found |= _without_specks(spikes & (crowd < CROWDED) & flow_is_right)
    return cv2.dilate(found.astype(np.uint8), _GROWTH).astype(bool)


def _without_specks(found: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(found.astype(np.uint8), connectivity=8)
    large = statistics[:, cv2.CC_STAT_AREA] >= SPECK
    large[0] = False
    return large[labels]


def scratches(luma: Float[np.ndarray, "h w"], *, rows: float = 0.8) -> Bool[np.ndarray, "h w"]:
    """Thin vertical lines through the whole picture that are lighter, or darker, than both sides.

    Args:
      luma: in [0, 1].
      rows: the share of rows in which a line must differ from both sides.
    """
    smooth = cv2.blur(luma, (1, 5))
    left, right = (
        cv2.warpAffine(smooth, shift, luma.shape[::-1], borderMode=cv2.BORDER_REPLICATE) for shift in _SCRATCH_SIDES
    )
    lighter = smooth - np.maximum(left, right)
    darker = np.minimum(left, right) - smooth
    edge = np.abs((left - right).mean(axis=0))  # of an object, or of a picture narrower than the frame
    columns = [
        (side.mean(axis=0) > np.maximum(_SCRATCH_CONTRAST, edge)) & ((side > 0).mean(axis=0) > rows)
        for side in (lighter, darker)
    ]
    return np.broadcast_to((columns[0] | columns[1])[None], luma.shape).copy()


def _warped_to(here: Float[np.ndarray, "h w"], other: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The other frame warped to this one along the flow between them."""
    height, width = here.shape
    padded = [
        cv2.copyMakeBorder(f, 0, -height % VELOCITY_GRID, 0, -width % VELOCITY_GRID, cv2.BORDER_REPLICATE)
        for f in (here, other)
    ]
    flow = MotionMeter().displacement(*(FlowFrame.from_luma(frame, time=n) for n, frame in enumerate(padded)))
    flow = cv2.resize(flow, padded[0].shape[::-1], interpolation=cv2.INTER_LINEAR)[:height, :width]
    return warp(other, flow)


class _Inspected(NamedTuple):
    """A frame, its luma, and its thumbnail for finding cuts."""

    frame: Frame
    luma: np.ndarray
    small: np.ndarray


def detect_damage(frames: Iterable[Frame], pixels: PixelFormat) -> Iterator[tuple[Frame, Bool[np.ndarray, "h w"]]]:
    """Each frame and the mask of its damage; one frame behind its input."""
    line: list[_Inspected | None] = [None]
    for frame in frames:
        luma = luma_of(frame, pixels)
        line.append(_Inspected(frame, luma, thumbnail(luma)))
        if len(line) == 3:
            yield _with_mask(*line)
            line = line[1:]
    if line[-1] is not None:
        yield _with_mask(line[0], line[-1], None)


def _with_mask(
    before: _Inspected | None, here: _Inspected, after: _Inspected | None
) -> tuple[Frame, Bool[np.ndarray, "h w"]]:
    neighbours = [
        other.luma if other is not None and change(here.small, other.small) < CUT else None for other in (before, after)
    ]
    return here.frame, damage_mask(neighbours[0], here.luma, neighbours[1])


def frames_and_damage(frames: Iterable[Frame], pixels: PixelFormat) -> tuple[Iterator[Frame], Iterator[np.ndarray]]:
    """The frames with even brightness, and the masks of their damage; read both in step to save memory."""
    first, second = itertools.tee(detect_damage(even_brightness(frames, pixels), pixels))
    return (frame for frame, _ in first), (mask for _, mask in second)
