"""Chooses seams by minimum cuts: which camera each cell is taken from, avoiding moving things and flicker."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

_BASE_COST = 2.0  # code values: the cost of a seam cell in which both cameras agree; it favours short seams
_MOTION_COST = 120.0  # the additional cost of a cell in which something moves
_CHANGE_COST = 0.5  # the additional cost of changing a cell's camera since the last seam, as a share of the cell's cost
_LARGEST_CAPACITY = 10**7


def joining_order(count: int, reference: int, matched: Sequence[tuple[int, int]]) -> list[int]:
    """Returns the cameras in an order in which each overlaps an earlier one, beginning with the reference."""
    joined = [reference]
    while len(joined) < count:
        fresh = [b if a in joined else a for a, b in matched if (a in joined) != (b in joined)]
        rest = [index for index in range(count) if index not in joined]
        joined.append(min(fresh) if fresh else rest[0])
    return joined


def place_seams(
    pictures: Float[np.ndarray, "n h w 3"],
    seen: Bool[np.ndarray, "n h w"],
    moving: Bool[np.ndarray, "h w"] | Float[np.ndarray, "h w"],
    joining: Sequence[int],
    before: Int[np.ndarray, "h w"] | None = None,
) -> Int[np.ndarray, "h w"]:
    """Returns the camera of each cell, chosen by one minimum cut for each camera that is added.

    Args:
      pictures: the cameras on the reduced canvas, gains applied, code values.
      seen: the cells that each camera sees.
      moving: the cells in which something moves in any camera; or how often it does, 0 to 1.
      joining: the order in which cameras are added, from `joining_order`.
      before: the last frame's choice; changing it costs extra, against flicker.

    Returns:
      The number of the camera, -1 where no camera sees the cell.

    Source: Kwatra et al., Graphcut Textures, 2003.
    """
    labels = np.where(seen[joining[0]], joining[0], -1)
    for index in joining[1:]:
        labels = _add_camera(labels, index, pictures, seen, moving, before)
    return labels


def _seam_cost(pictures: np.ndarray, labels: np.ndarray, index: int, moving: np.ndarray) -> Float[np.ndarray, "h w"]:
    """The cost in each cell of a seam between the picture so far and camera `index`."""
    own = np.take_along_axis(pictures, np.maximum(labels, 0)[None, ..., None], axis=0)[0]
    difference = np.abs(own - pictures[index]).mean(axis=-1)
    return _BASE_COST + difference + _MOTION_COST * moving


def cells_crossed(labels: Int[np.ndarray, "h w"], moving: Bool[np.ndarray, "h w"]) -> int:
    """Returns how many of the cells with motion lie at a seam."""
    at_seam = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        one, other = np.moveaxis(labels, axis, 0)[:-1], np.moveaxis(labels, axis, 0)[1:]
        step = (one != other) & (one >= 0) & (other >= 0)
        np.moveaxis(at_seam, axis, 0)[:-1] |= step
        np.moveaxis(at_seam, axis, 0)[1:] |= step
    return int((at_seam & moving).sum())


def _add_camera(
    labels: Int[np.ndarray, "h w"],
    index: int,
    pictures: Float[np.ndarray, "n h w 3"],
    seen: Bool[np.ndarray, "n h w"],
    moving: Bool[np.ndarray, "h w"] | Float[np.ndarray, "h w"],
    before: Int[np.ndarray, "h w"] | None,
) -> Int[np.ndarray, "h w"]:
    """The choice after camera `index` has been added to those chosen so far."""
    both = (labels >= 0) & seen[index]
    joined = np.where((labels < 0) & seen[index], index, labels)
    only_old, only_new = (labels >= 0) & ~seen[index], (labels < 0) & seen[index]
    if not both.any() or not only_new.any():
        return joined
    if not only_old.any():
        return np.where(seen[index], index, joined)
    cost = _seam_cost(pictures, labels, index, moving)
    # Among equal paths, the seam runs where both cameras are equally far from their edges.
    centred = distance_transform_edt(seen[index]) - distance_transform_edt(labels >= 0)
    to_new = np.clip(centred, 0, 40) * 0.02
    to_old = np.clip(-centred, 0, 40) * 0.02
    if before is not None:
        change = _CHANGE_COST * (cost - _MOTION_COST * moving)
        to_new = to_new + change * (before == index)
        to_old = to_old + change * ((before >= 0) & (before != index))
    kernel = np.ones((3, 3), np.uint8)
    to_old = to_old + 1e5 * (cv2.dilate(only_old.astype(np.uint8), kernel) > 0)
    to_new = to_new + 1e5 * ((cv2.dilate(only_new.astype(np.uint8), kernel) > 0) & (to_old < 1e4))
    new = _minimum_cut(both, cost, to_old, to_new)
    return np.where(new, index, joined)


def _minimum_cut(both: np.ndarray, cost: np.ndarray, to_old: np.ndarray, to_new: np.ndarray) -> Bool[np.ndarray, "h w"]:
    """The cells of `both` that go to the new camera, the sink of the graph.

    Args:
      both: the cells that may go either way.
      cost: of a seam in each cell.
      to_old: how strongly each cell is tied to the cameras so far.
      to_new: how strongly each cell is tied to the new camera.
    """
    count = int(both.sum())
    number = np.full(both.shape, -1)
    number[both] = np.arange(count)
    starts, ends, capacities = [], [], []
    for axis in (0, 1):
        one, other = np.moveaxis(number, axis, 0)[:-1], np.moveaxis(number, axis, 0)[1:]
        value = np.moveaxis(cost, axis, 0)[:-1] + np.moveaxis(cost, axis, 0)[1:]
        linked = (one >= 0) & (other >= 0)
        starts += [one[linked], other[linked]]
        ends += [other[linked], one[linked]]
        capacities += [value[linked]] * 2
    cells = np.arange(count)
    starts += [np.full(count, count), cells]
    ends += [cells, np.full(count, count + 1)]
    capacities += [to_old[both], to_new[both]]
    rounded = np.minimum(np.concatenate(capacities) * 64, _LARGEST_CAPACITY).astype(np.int32)
    links = (np.concatenate(starts), np.concatenate(ends))
    graph = coo_array((rounded, links), shape=(count + 2, count + 2)).tocsr()
    residual = graph - maximum_flow(graph, count, count + 1, method="dinic").flow
    residual.data = np.maximum(residual.data, 0)
    residual.eliminate_zeros()
    reached = breadth_first_order(residual, count, return_predecessors=False)
    old = np.zeros(count + 2, bool)
    old[reached] = True
    result = np.zeros(both.shape, bool)
    result[both] = ~old[:count]
    return result
