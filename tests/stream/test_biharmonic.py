"""The biharmonic fill against the equation solved exactly."""

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.biharmonic import biharmonic_fill, fill_frame
from vdiff_jax.stream.samples import mask_at_scale


@pytest.fixture(scope="module")
def hills():
    y, x = np.mgrid[:40, :60].astype(np.float32)
    return 128 + 40 * np.sin(x / 5) + 30 * np.cos(y / 4)


def exact(plane, mask):
    """The biharmonic equation's solution, by a dense solve."""
    stencil = {(0, 0): 20, (0, 1): -8, (1, 0): -8, (1, 1): 2, (0, 2): 1, (2, 0): 1}
    unknown = {place: n for n, place in enumerate(zip(*np.nonzero(mask)))}
    left, right = np.zeros((len(unknown), len(unknown))), np.zeros(len(unknown))
    for (y, x), row in unknown.items():
        for (dy, dx), value in stencil.items():
            for place in {(y + a * dy, x + b * dx) for a in (-1, 1) for b in (-1, 1)}:
                if place in unknown:
                    left[row, unknown[place]] += value
                else:
                    right[row] -= value * plane[place]
    filled = plane.astype(np.float64)
    filled[mask] = np.linalg.solve(left, right)
    return filled


def test_thin_holes_are_filled_with_the_equations_solution(hills):
    mask = np.zeros(hills.shape, bool)
    mask[4:-4, 4:-4] = np.random.default_rng(0).random((32, 52)) < 0.2
    mask[4:-4, 30:32] = True
    filled = biharmonic_fill(np.where(mask, 0, hills), mask)
    np.testing.assert_array_equal(filled[~mask], hills[~mask])
    away = np.abs(filled - exact(hills, mask))[mask]
    assert away.mean() < 0.4  # push-pull alone: 1.6
    assert np.abs(filled - hills)[mask].mean() < 0.5


def test_planes_of_any_kind_are_filled_and_alpha_stays():
    pixels = PixelFormat(kind="yuv", bits=10, subsampling=(2, 2), alpha=True)
    shapes = ((21, 33), (11, 17), (11, 17), (21, 33))
    planes = tuple(np.full(shape, value, np.uint16) for shape, value in zip(shapes, (700, 400, 600, 9)))
    mask = np.zeros((21, 33), bool)
    mask[9:13, 20:25] = True
    holed = [plane.copy() for plane in planes]
    holed[0][mask], holed[1][mask_at_scale(mask, (2, 2))] = 0, 0
    filled = fill_frame(Frame((*holed[:2], planes[2], planes[3]), 0), mask, pixels)
    for plane, whole in zip(filled.planes, planes):
        assert plane.dtype == np.uint16
        np.testing.assert_allclose(plane.astype(int), whole, atol=1)
