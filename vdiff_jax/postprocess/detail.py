"""Gives back the detail that denoising took away with weak noise.

The residual, the given frame minus its result, should have the noise's variance (Morozov's discrepancy principle,
1966). Where it has more, the excess is detail, and this share of the residual is added to the result again.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.differences import integer_scale
from vdiff_jax.postprocess.wiener import spans, stored_samples

WEAK, STRONG = 6 / 255, 10 / 255
"""Up to sigma `WEAK` of R'G'B' detail is given back in full; less of it up to `STRONG`, where the network errs less."""
_CELL = 8
"""Samples a side of the cells whose variances are compared."""
_CHANCE = 1.1
"""A variance up to so many times that of the noise is taken for noise."""
_GROUPS, _CALM, _UNSURE = 8, 0.1, 2.0
"""The noise's variance at a brightness is that of the calmest tenth of the cells in one of eight groups by brightness.

At least it is the expected one, and at most twice that.
"""
_ROWS = 128 * _CELL
"""Rows that are processed at once, which bounds the memory of large frames."""


def with_detail(
    frames: Iterable[Frame], pixels: PixelFormat, sigma: Sequence[float] | Float[np.ndarray, " p"], noise: float
) -> Iterator[Frame]:
    """Gives detail back to each frame. Alpha is unchanged, and so is everything from `STRONG` noise on.

    Args:
      frames: the network's results, with the planes that they were made from.
      pixels: their pixel format.
      sigma: the expected error of each plane before the network, in [0, 1].
      noise: the same as the sigma of white R'G'B' noise, in [0, 1].
    """
    share = float(np.clip((STRONG - noise) / (STRONG - WEAK), 0, 1))
    expected = np.asarray(sigma, float) * (pixels.peak if pixels.kind == "rgb" else spans(pixels))
    for frame in frames:
        planes = list(frame.planes)
        if share > 0:
            for index in range(len(planes) - pixels.alpha):
                planes[index] = _given_back(planes[index], frame.given[index], pixels, expected[index], share)
        yield dataclasses.replace(frame, planes=tuple(planes), given=())


def _given_back(result: np.ndarray, given: np.ndarray, pixels: PixelFormat, sigma: float, share: float) -> np.ndarray:
    """The plane with its detail; `sigma` in samples."""
    height, width = result.shape
    if min(height, width) < 2 * _CELL or sigma <= 0:
        return result
    back = share * _excess(result, given, pixels, sigma)
    changed = np.empty_like(result)
    for rows in _strips(height):
        plane = integer_scale(result[rows], pixels)
        residual = integer_scale(given[rows], pixels) - plane
        changed[rows] = stored_samples(plane + _enlarged(back, rows, result.shape) * residual, result, pixels)
    return changed


def _excess(result: np.ndarray, given: np.ndarray, pixels: PixelFormat, sigma: float) -> Float[np.ndarray, "h8 w8"]:
    """The share of the residual's variance that is not noise, 0 to 1, in each cell."""
    height, width = result.shape
    variance, brightness = np.empty((2, -(-height // _CELL), -(-width // _CELL)), np.float32)
    for rows in _strips(height):
        plane = integer_scale(result[rows], pixels)
        cells = slice(rows.start // _CELL, -(-rows.stop // _CELL))
        size = (variance.shape[1], cells.stop - cells.start)
        residual = integer_scale(given[rows], pixels) - plane
        variance[cells] = cv2.resize(np.square(residual), size, interpolation=cv2.INTER_AREA)
        brightness[cells] = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    variance = cv2.GaussianBlur(variance, (3, 3), 0.8, borderType=cv2.BORDER_REPLICATE)
    return np.clip(1 - _CHANCE * _noise(variance, brightness, sigma) / np.maximum(variance, 1e-6), 0, 1)


def _noise(variance: np.ndarray, brightness: np.ndarray, sigma: float) -> Float[np.ndarray, "h8 w8"]:
    """The variance of noise in each cell. An expected error that is too small, or not that of bright parts, shows."""
    edges = np.quantile(brightness, np.linspace(0, 1, _GROUPS + 1))
    groups = [(edges[n] <= brightness) & (brightness <= edges[n + 1]) for n in range(_GROUPS)]
    calm = [np.quantile(variance[group], _CALM) for group in groups]
    found = np.interp(brightness, [brightness[group].mean() for group in groups], calm)
    return np.clip(found, sigma**2, _UNSURE * sigma**2)


def _strips(height: int) -> Iterator[slice]:
    for start in range(0, height, _ROWS):
        yield slice(start, min(start + _ROWS, height))


def _enlarged(cells: Float[np.ndarray, "h8 w8"], rows: slice, shape: tuple[int, ...]) -> Float[np.ndarray, "r w"]:
    """Some rows of the cells' values, interpolated between the cells' centres."""
    y, x = np.arange(rows.start, rows.stop), np.arange(shape[1])
    points = [(places + 0.5) * (count / size) - 0.5 for places, count, size in zip((y, x), cells.shape, shape)]
    columns, lines = np.meshgrid(points[1].astype(np.float32), points[0].astype(np.float32))
    return cv2.remap(cells.astype(np.float32), columns, lines, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
