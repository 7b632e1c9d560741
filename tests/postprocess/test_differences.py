"""Neighbours in space, against NumPy's own padding of the whole plane."""

import numpy as np
import pytest

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.differences import Around

PIXELS = PixelFormat(kind="gray", full_range=True)


@pytest.mark.parametrize("rows", [slice(0, 12), slice(0, 4), slice(5, 9), slice(9, 12)])
def test_any_strip_of_rows_has_the_neighbours_of_the_whole_plane(rows):
    rng = np.random.default_rng(0)
    plane, other = rng.integers(0, 256, (2, 12, 9), np.uint8)
    for subtrahend in (None, other):
        values = plane.astype(np.float32) - (0 if subtrahend is None else other.astype(np.float32))
        padded = np.pad(values, 3, mode="edge")
        before, after = padded[1:13, 6:15], padded[5:17, 0:9]  # at (-2, 3) and (2, -3)
        around = Around(plane, rows, PIXELS, minus=subtrahend)
        np.testing.assert_array_equal(around.sample(), values[rows])
        np.testing.assert_array_equal(around.sums([(2, -3)])[0], (before + after)[rows])
        np.testing.assert_array_equal(around.second_differences([(2, -3)])[0], (before + after - 2 * values)[rows])
        limited = sum(d / (1 + (d / 10) ** 2) for d in (before - values, after - values))
        np.testing.assert_allclose(around.limited_differences([(2, -3)], 10.0)[0], limited[rows], rtol=1e-5, atol=1e-4)
