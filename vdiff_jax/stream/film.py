"""Old film: finds dust, dirt, drop-outs and scratches."""

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.brightness import CUT, even_brightness
from vdiff_jax.stream.dust import spots
from vdiff_jax.stream.samples import luma_of
from vdiff_jax.stream.shots import change, thumbnail

_GROWTH = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
_SCRATCH_CONTRAST = 0.03
"""The least mean contrast of a scratch, in [0, 1]."""
_SCRATCH_SIDES = [np.array([[1, 0, shift], [0, 1, 0]], np.float32) for shift in (-3, 3)]
"""Shifts to the pixels on both sides of a scratch."""


def damage_mask(
    before: Float[np.ndarray, "h w"] | None, here: Float[np.ndarray, "h w"], after: Float[np.ndarray, "h w"] | None
) -> Bool[np.ndarray, "h w"]:
    """Where a frame's luma has scratches, or spots that neither neighbour has; slightly grown.

    Without two neighbours only scratches are found.

    Args:
      before, after: the neighbouring frames' luma; `None` at the ends of a shot.
      here: the frame's luma in [0, 1].
    """
    found = scratches(here)
    if before is not None and after is not None:
        found |= spots(before, here, after)
    return cv2.dilate(found.astype(np.uint8), _GROWTH).astype(bool)


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
