"""The motion at a time between two frames, from what was measured from each to the other."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.stream.flow import FlowFrame, mean_difference
from vdiff_jax.stream.push_pull import push_pull_fill
from vdiff_jax.stream.warp import warp_half_size

_DOUBT, _SLIGHT = 0.4, 1.5
"""Another motion is taken for a place if it explains it within this share of the mismatch, less so many 8-bit units."""


def between(
    forward: Float[np.ndarray, "hv wv 2"], backward: Float[np.ndarray, "hv wv 2"], share: float
) -> Float[np.ndarray, "hv wv 2"]:
    """The displacement from one frame to the next of what lies at each place at a time between the two.

    Both fields are carried along themselves to that time. A sample counts less where the two disagree, for what one of
    the frames does not see has no counterpart in it, and more the more its motion differs from that of the whole: an
    object crosses in front of the scene more often than behind it. Where nothing arrives the surroundings are
    continued.

    Args:
      forward: from the first frame to the second, in pixels, on the velocity grid.
      backward: from the second to the first.
      share: the time, 0 at the first frame and 1 at the second.
    """
    scene = np.median(forward, axis=(0, 1))
    parts = [
        _carried(forward, forward, share, (1 - share) * _weight(forward, backward, scene)),
        _carried(backward, -backward, 1 - share, share * _weight(backward, forward, -scene)),
    ]
    total, weight = (sum(part) for part in zip(*parts))
    known = (weight > 0.2).astype(np.float32)
    return push_pull_fill(total / np.maximum(weight, 1e-6)[..., None] * known[..., None], known)


def best_explained(
    first: FlowFrame, second: FlowFrame, fields: Sequence[Float[np.ndarray, "hv wv 2"]], share: float
) -> Float[np.ndarray, "hv wv 2"]:
    """Of displacements from one frame to the next, as `between` has them, the first but where another is far better.

    Better is under what the two frames differ less around a place, warped to that time. A median over neighbouring
    points removes what was chosen by chance.
    """
    best, least = fields[0], _DOUBT * _differing(first, second, fields[0], share) - _SLIGHT
    for field in fields[1:]:
        difference = _differing(first, second, field, share)
        best = np.where((difference < least)[..., None], field, best)
        least = np.minimum(difference, least)
    return np.dstack([cv2.medianBlur(np.ascontiguousarray(part), 3) for part in np.moveaxis(best, -1, 0)])


def _differing(
    first: FlowFrame, second: FlowFrame, field: Float[np.ndarray, "hv wv 2"], share: float
) -> Float[np.ndarray, "hv wv"]:
    """The mean difference of two frames around each place at a time between them, in 8-bit units."""
    pair = warp_half_size(first.small, -share * field), warp_half_size(second.small, (1 - share) * field)
    return mean_difference(*pair, field.shape[:2], 2.0)


def _weight(
    there: Float[np.ndarray, "hv wv 2"], back: Float[np.ndarray, "hv wv 2"], scene: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "hv wv"]:
    """High where the way there and back ends where it began, and where the motion is not the scene's."""
    height, width = there.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    place = there / VELOCITY_GRID
    returned = cv2.remap(back, x + place[..., 0], y + place[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    agreement = 1 / (1 + np.square(there + returned).sum(axis=-1)) ** 2
    return (agreement + 1e-3) * (1 + np.linalg.norm(there - scene, axis=-1))


def _carried(field, values, share: float, weight) -> tuple[Float[np.ndarray, "hv wv 2"], Float[np.ndarray, "hv wv"]]:
    """Values and weights moved by `share` of a field, each spread over the four grid points it falls between."""
    height, width = weight.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    x, y = x + share * field[..., 0] / VELOCITY_GRID, y + share * field[..., 1] / VELOCITY_GRID
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    sums = np.zeros((3, height * width))
    for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
        part = weight * (1 - np.abs(x - column)) * (1 - np.abs(y - row))
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        index = (row * width + column)[inside]
        for channel, value in enumerate((values[..., 0], values[..., 1], 1.0)):
            sums[channel] += np.bincount(index, (part * value)[inside], minlength=height * width)
    sums = sums.astype(np.float32).reshape(3, height, width)
    return np.moveaxis(sums[:2], 0, -1), sums[2]
