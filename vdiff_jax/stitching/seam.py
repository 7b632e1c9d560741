"""Seams: which camera each cell of the canvas is taken from, around what moves, and the same from frame to frame."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

_PLAIN = 2.0  # cost of a cell in which both cameras agree, in code values: short seams among equals
_MOVING = 120.0  # and of one in which something moves
_STAY = 0.5  # share of the cost that changing a cell's camera since the last seam adds
_LIMIT = 10**7


def order(count: int, reference: int, matched: Sequence[tuple[int, int]]) -> list[int]:
    """The cameras so that each one overlaps one before it, from the reference on."""
    joined = [reference]
    while len(joined) < count:
        fresh = [b if a in joined else a for a, b in matched if (a in joined) != (b in joined)]
        rest = [index for index in range(count) if index not in joined]
        joined.append(min(fresh) if fresh else rest[0])
    return joined


def place(
    pictures: Float[np.ndarray, "n h w 3"],
    seen: Bool[np.ndarray, "n h w"],
    moving: Bool[np.ndarray, "h w"] | Float[np.ndarray, "h w"],
    joining: Sequence[int],
    before: Int[np.ndarray, "h w"] | None = None,
) -> Int[np.ndarray, "h w"]:
    """Chooses the camera of each cell by one minimum cut per camera that joins.

    Args:
      pictures: the cameras on the reduced canvas, gains applied, code values.
      seen: what each camera sees.
      moving: cells in which something moves, in any camera; or how often, 0 to 1.
      joining: the order in which cameras join.
      before: the last frame's choice, from which cells change reluctantly.

    Returns:
      The number of the camera, -1 where none sees anything.

    Source: Kwatra et al., Graphcut Textures, 2003.
    """
    labels = np.where(seen[joining[0]], joining[0], -1)
    for index in joining[1:]:
        labels = _join(labels, index, pictures, seen, moving, before)
    return labels


def cost(pictures: np.ndarray, labels: np.ndarray, index: int, moving: np.ndarray) -> Float[np.ndarray, "h w"]:
    """What a seam between the picture so far and camera `index` costs in each cell."""
    own = np.take_along_axis(pictures, np.maximum(labels, 0)[None, ..., None], axis=0)[0]
    difference = np.abs(own - pictures[index]).mean(axis=-1)
    return _PLAIN + difference + _MOVING * moving


def crossing(labels: Int[np.ndarray, "h w"], moving: Bool[np.ndarray, "h w"]) -> int:
    """How many moving cells a seam runs through."""
    at_seam = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        one, other = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        step = (one != other) & (one >= 0) & (other >= 0)
        np.moveaxis(at_seam, axis, 0)[:-1] |= step
        np.moveaxis(at_seam, axis, 0)[1:] |= step
    return int((at_seam & moving).sum())


def _join(labels, index, pictures, seen, moving, before) -> Int[np.ndarray, "h w"]:
    both = (labels >= 0) & seen[index]
    joined = np.where((labels < 0) & seen[index], index, labels)
    only_old, only_new = (labels >= 0) & ~seen[index], (labels < 0) & seen[index]
    if not both.any() or not only_new.any():
        return joined
    if not only_old.any():
        return np.where(seen[index], index, joined)
    price = cost(pictures, labels, index, moving)
    # Among equals the seam runs where both cameras are as far from their edges.
    centred = distance_transform_edt(seen[index]) - distance_transform_edt(labels >= 0)
    to_new = np.clip(centred, 0, 40) * 0.02
    to_old = np.clip(-centred, 0, 40) * 0.02
    if before is not None:
        stay = _STAY * (price - _MOVING * moving)
        to_new = to_new + stay * (before == index)
        to_old = to_old + stay * ((before >= 0) & (before != index))
    kernel = np.ones((3, 3), np.uint8)
    to_old = to_old + 1e5 * (cv2.dilate(only_old.astype(np.uint8), kernel) > 0)
    to_new = to_new + 1e5 * ((cv2.dilate(only_new.astype(np.uint8), kernel) > 0) & (to_old < 1e4))
    new = _cut(both, price, to_old, to_new)
    return np.where(new, index, joined)


def _cut(both: np.ndarray, price: np.ndarray, to_old: np.ndarray, to_new: np.ndarray) -> Bool[np.ndarray, "h w"]:
    """The cells of `both` on the sink's side of a minimum cut."""
    count = int(both.sum())
    number = np.full(both.shape, -1)
    number[both] = np.arange(count)
    starts, ends, capacities = [], [], []
    for axis in (0, 1):
        one, other = np.moveaxis(number, axis, 0)[:-1], np.moveaxis(number, axis, 0)[1:]
        value = np.moveaxis(price, axis, 0)[:-1] + np.moveaxis(price, axis, 0)[1:]
        linked = (one >= 0) & (other >= 0)
        starts += [one[linked], other[linked]]
        ends += [other[linked], one[linked]]
        capacities += [value[linked]] * 2
    cells = np.arange(count)
    starts += [np.full(count, count), cells]
    ends += [cells, np.full(count, count + 1)]
    capacities += [to_old[both], to_new[both]]
    rounded = np.minimum(np.concatenate(capacities) * 64, _LIMIT).astype(np.int32)
    links = (np.concatenate(starts), np.concatenate(ends))
    graph = coo_array((rounded, links), shape=(count + 2, count + 2)).tocsr()
    left = graph - maximum_flow(graph, count, count + 1, method="dinic").flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    reached = breadth_first_order(left, count, return_predecessors=False)
    old = np.zeros(count + 2, bool)
    old[reached] = True
    result = np.zeros(both.shape, bool)
    result[both] = ~old[:count]
    return result
