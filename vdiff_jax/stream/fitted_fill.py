"""Fills small holes of one tile, with an expected error; the host's form of `preprocess.small_holes`.

It gives nearly the same samples, in less time. The neighbouring frames are mixed before they are interpolated into the
holes, so one biharmonic fill serves all of them. Nothing is compiled, so tiles are no larger than they need to be.
Training makes its examples in compiled code, so it needs the other form. `tests/stream/test_fitted_fill.py` holds that
both agree.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.preprocess.small_holes import CELL, ERROR, MOVED, RIDGE
from vdiff_jax.stream.biharmonic import STEPS, biharmonic_prediction, relax
from vdiff_jax.stream.samples import bounding_box

_TILE, _MARGIN = 320, 16
"""The largest side of a tile, and the margin around it that its result depends on."""
_NEIGHBOUR_STEPS = 1
"""Jacobi steps where a neighbouring frame is filled to see what a fill is worth; more changed nothing."""
_INDEPENDENT = 0.1
"""The share of a neighbouring frame's squared error that lowers its weight; the rest only raises the expected error."""
_BINOMIAL = np.array([1, 4, 6, 4, 1], np.float32) / 16

Planes = Float[np.ndarray, "c h w"]
Plane = Float[np.ndarray, "h w"]


class Tile(NamedTuple):
    """A part of a frame: the rows and columns that are filled, and those that the fill depends on."""

    own: tuple[slice, slice]
    seen: tuple[slice, slice]

    @property
    def inner(self) -> tuple[slice, slice]:
        """The filled rows and columns, counted from the first that is seen."""
        rows, columns = (slice(a.start - b.start, a.stop - b.start) for a, b in zip(self.own, self.seen))
        return rows, columns


def tiles(wanted: Bool[np.ndarray, "h w"]) -> Iterator[Tile]:
    """The tiles that hold samples to fill, each cut down to the rectangle around them."""
    for rows, columns in itertools.product(*map(_parts, wanted.shape)):
        box = bounding_box(wanted[rows, columns], 0)
        if box is not None:
            own = tuple(slice(a.start + b.start, a.stop + b.start) for a, b in zip(box, (rows, columns)))
            seen = tuple(
                slice(max(a.start - _MARGIN, 0) // CELL * CELL, min(-(-(a.stop + _MARGIN) // CELL) * CELL, end))
                for a, end in zip(own, wanted.shape)
            )
            yield Tile((own[0], own[1]), (seen[0], seen[1]))


def _parts(length: int) -> list[slice]:
    """A side in equal parts of at most `_TILE` pixels."""
    ends = np.linspace(0, length, -(-length // _TILE) + 1).astype(int).tolist()
    return [slice(start, end) for start, end in itertools.pairwise(ends)]


def fitted_fill(
    image: Planes, hidden: Bool[np.ndarray, "h w"], neighbours: Sequence[tuple[Planes, Plane]]
) -> tuple[Planes, Plane]:
    """The image with its hidden samples filled, and the expected error of each sample.

    Args:
      image: in [0, 1]; any value where it is hidden.
      hidden: True where the image is unknown.
      neighbours: other frames, moved to this one, and the expected error of their samples; infinite where nothing is
        known of it.
    """
    fill, known = _BiharmonicFill(hidden), (~hidden).astype(np.float32)
    biharmonic = np.stack([fill(plane, STEPS) for plane in image])
    target = biharmonic - _predicted(biharmonic)
    # Everything is taken relative to the fill: differences are small, so that weights may vary from cell to cell.
    differences = [planes - biharmonic for planes, _ in neighbours]
    directional = [target + difference for difference in _directional_differences(biharmonic)]
    predictors = [target + _sharpness(fill, planes) for planes in differences] + directional
    weights, error = _fitted(predictors, target, known, [errors for _, errors in neighbours])
    mixed = np.zeros_like(image)
    for weight, planes in zip(weights, differences):
        mixed += weight * planes
    filled = biharmonic + mixed - np.stack([fill(plane, STEPS) for plane in mixed])
    for weight, planes in zip(weights[len(differences) :], directional):
        filled += weight * planes
    # Corrections beyond the range of the image are errors of the fit.
    filled = np.where(hidden, np.clip(filled, 0, 1), image)
    # A known sample is predicted from all its neighbours; those of a sample in a hole are partly unknown themselves.
    moved = np.clip(sum(weights[: len(neighbours)], np.zeros_like(error)), 0, 1)
    return filled, ERROR * error / np.maximum(_blurred(known), 0.1) ** (1 - MOVED * moved)


class _BiharmonicFill:
    """Fills the same holes in several planes. Samples with nothing known within two pixels keep their value."""

    def __init__(self, hidden: Bool[np.ndarray, "h w"]):
        self._known = (~hidden).astype(np.float32)
        share = _blurred(self._known)
        self._holes = np.flatnonzero(hidden & (share > 0))
        self._share = share.reshape(-1)[self._holes]

    def __call__(self, plane: Plane, steps: int) -> Plane:
        filled = plane.copy()
        filled.reshape(-1)[self._holes] = _blurred(plane * self._known).reshape(-1)[self._holes] / self._share
        return relax(filled, self._holes, steps)


def _predicted(planes: Planes) -> Planes:
    return np.stack([biharmonic_prediction(plane) for plane in planes])


def _sharpness(fill: _BiharmonicFill, planes: Planes) -> Planes:
    """What the biharmonic prediction misses of another frame's planes, once their samples under the mask are filled."""
    filled = np.stack([fill(plane, _NEIGHBOUR_STEPS) for plane in planes])
    return planes - _predicted(filled)


def _directional_differences(planes: Planes) -> list[Planes]:
    """Cubic interpolation along the rows and along the columns, less the planes themselves."""
    kernel, border = np.array([[-1, 4, -6, 4, -1]], np.float32) / 6, cv2.BORDER_REFLECT_101
    return [np.stack([cv2.filter2D(plane, -1, k, borderType=border) for plane in planes]) for k in (kernel, kernel.T)]


def _fitted(
    predictors: Sequence[Planes], target: Planes, known: Plane, errors: Sequence[Plane]
) -> tuple[list[Plane], Plane]:
    """The weights of the predictors that are the local least squares over known samples, and the error that is left.

    Args:
      predictors: the prediction of each sample, first those by neighbouring frames.
      target: what is predicted.
      known: 1 where the target is known, 0 in holes.
      errors: the expected error of the neighbouring frames' samples, which may lie in holes of their own.
    """
    count, channels = len(predictors), len(target)
    columns = [_in_whole_cells(planes * known) for planes in (*predictors, target)]
    sums = [[_cell_sums(one, other) for other in columns[: n + 1]] for n, one in enumerate(columns)]
    lower = _blurred(np.stack([plane for row in sums for plane in row], axis=-1))
    products = np.empty((count + 1, count + 1, *lower.shape[:2]), np.float32)
    rows, others = np.tril_indices(count + 1)
    products[rows, others] = products[others, rows] = np.moveaxis(lower, -1, 0)
    counts = _cell_sums(_in_whole_cells(known[None]))
    samples = channels * np.maximum(_blurred(counts), 1e-3)
    products[np.arange(count), np.arange(count)] += RIDGE * samples
    energy = products[-1, -1] / samples
    doubts = [_squared_error_in_holes(plane, known, energy) for plane in errors]
    for number, doubt in enumerate(doubts):
        products[number, number] += _INDEPENDENT * samples * doubt
    weights = _solved(products[:-1])
    left = energy - np.einsum("khw,khw->hw", weights, products[:-1, -1]) / samples
    left = left + (1 - _INDEPENDENT) * sum(weight**2 * doubt for weight, doubt in zip(weights, doubts))
    error = np.sqrt(np.maximum(left, 0))
    size, (height, width) = (error.shape[1] * CELL, error.shape[0] * CELL), known.shape
    *weights, error = (cv2.resize(plane, size)[:height, :width] for plane in (*weights, error))
    return weights, error


def _squared_error_in_holes(
    error: Plane, known: Plane, unknown: Float[np.ndarray, "hc wc"]
) -> Float[np.ndarray, "hc wc"]:
    """The mean square, around each cell, of a neighbouring frame's expected error in the holes of this frame.

    Args:
      error: the neighbouring frame's, moved to this one.
      known: 0 in the holes.
      unknown: what counts as the mean square where the error is infinite.
    """
    never = np.isinf(error)
    parts = (1 - known) * np.stack([np.where(never, 0, error) ** 2, never, np.ones_like(known)])
    squares, lost, count = (_blurred(_cell_sums(part[None])) for part in _in_whole_cells(parts.astype(np.float32)))
    return (squares + lost * unknown) / (count + 1e-3)


def _in_whole_cells(planes: Planes) -> Float[np.ndarray, "c h2 w2"]:
    """The planes, with zeros appended up to a multiple of `CELL` samples."""
    height, width = planes.shape[1:]
    if height % CELL == 0 and width % CELL == 0:
        return planes
    return np.pad(planes, ((0, 0), (0, -height % CELL), (0, -width % CELL)))


def _cell_sums(planes: Planes, others: Planes | None = None) -> Float[np.ndarray, "hc wc"]:
    """The sum over each cell and all channels, of the planes or of their products with others."""
    height, width = planes.shape[1:]
    total = np.zeros((height, width), np.float32)
    for number, plane in enumerate(planes):
        total += plane if others is None else cv2.multiply(plane, others[number])
    return CELL**2 * cv2.resize(total, (width // CELL, height // CELL), interpolation=cv2.INTER_AREA)


def _solved(rows: Float[np.ndarray, "k k1 h w"]) -> Float[np.ndarray, "k h w"]:
    """The solution of a positive definite system for each cell, by Gauss-Jordan elimination."""
    rows = rows.copy()
    for number in range(len(rows)):
        # Columns before the pivot's are not needed any more.
        pivot = rows[number, number:] / rows[number, number]
        rows[:, number:] -= rows[:, number, None] * pivot
        rows[number, number:] = pivot
    return rows[:, -1]


def _blurred(image: np.ndarray) -> np.ndarray:
    """Each sample's mean with those around it, by a binomial kernel of 5 × 5 samples; outside the image all is 0."""
    return cv2.sepFilter2D(image, -1, _BINOMIAL, _BINOMIAL, borderType=cv2.BORDER_CONSTANT)
