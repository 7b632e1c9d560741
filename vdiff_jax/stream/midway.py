"""The motion at a time between two frames, from the flow measured in both directions."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.stream.flow import Field, FlowFrame, mean_difference
from vdiff_jax.stream.push_pull import push_pull_fill
from vdiff_jax.stream.warp import grid_points, warp, warp_half_size

_FAR_BETTER, _MARGIN = 0.4, 1.5
"""A candidate replaces the first one where its mismatch is below this share of the first one's, minus a margin in
8-bit units."""


def between(forward: Field, backward: Field, time: float) -> Field:
    """The displacement from the first frame to the second, for each point of a frame at a time between them.

    Both flows are splatted to that time along themselves and averaged. A point has less weight where the two flows
    disagree, as in occlusions. It has more weight the more its motion differs from the scene's, because a moving object
    is usually in front of the scene. Points that no flow reaches are filled from around them.

    Args:
      forward: from the first frame to the second.
      backward: from the second to the first.
      time: 0 at the first frame and 1 at the second.
    """
    scene = np.median(forward, axis=(0, 1))
    parts = [
        _splat(forward, forward, time, (1 - time) * _weight(forward, backward, scene)),
        _splat(backward, -backward, 1 - time, time * _weight(backward, forward, -scene)),
    ]
    total, weight = (sum(part) for part in zip(*parts))
    known = (weight > 0.2).astype(np.float32)
    return push_pull_fill(total / np.maximum(weight, 1e-6)[..., None] * known[..., None], known)


def best_explained(first: FlowFrame, second: FlowFrame, candidates: Sequence[Field], time: float) -> Field:
    """The first of several displacements, replaced at each point by another that matches the two frames far better.

    A median over neighbouring points removes isolated wrong choices.

    Args:
      first, second: the two frames.
      candidates: displacements from the first frame to the second, each at the time between, as `between` gives them.
      time: that time, 0 at the first frame and 1 at the second.
    """
    best, least = candidates[0], _FAR_BETTER * _mismatch(first, second, candidates[0], time) - _MARGIN
    for field in candidates[1:]:
        difference = _mismatch(first, second, field, time)
        best = np.where((difference < least)[..., None], field, best)
        least = np.minimum(difference, least)
    return np.dstack([cv2.medianBlur(np.ascontiguousarray(part), 3) for part in np.moveaxis(best, -1, 0)])


def _mismatch(first: FlowFrame, second: FlowFrame, field: Field, time: float) -> Float[np.ndarray, "hv wv"]:
    """The mean difference around each point of two frames that are warped to a time between them, in 8-bit units."""
    pair = warp_half_size(first.small, -time * field), warp_half_size(second.small, (1 - time) * field)
    return mean_difference(*pair, field.shape[:2], 2.0)


def _weight(there: Field, back: Field, scene: Float[np.ndarray, "2"]) -> Float[np.ndarray, "hv wv"]:
    """The weight of each point: high where the way there and back returns, and where the motion is not the scene's."""
    returned = warp(back, there / VELOCITY_GRID)
    agreement = 1 / (1 + np.square(there + returned).sum(axis=-1)) ** 2
    return (agreement + 1e-3) * (1 + np.linalg.norm(there - scene, axis=-1))


def _splat(
    field: Field, values: Field, time: float, weight: Float[np.ndarray, "hv wv"]
) -> tuple[Field, Float[np.ndarray, "hv wv"]]:
    """Weighted values and weights moved by `time` times a field, each distributed over the four nearest grid points."""
    height, width = weight.shape
    x, y = np.moveaxis(grid_points((height, width)) + time * field / VELOCITY_GRID, -1, 0)
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
