"""Rotation agrees with FFmpeg's display matrix."""

import numpy as np
import pytest

from vdiff_jax.media.video import rotation_of, turn, turn_back


@pytest.mark.parametrize("a", [(65536, 0), (0, 65536), (-65536, 0), (0, -65536)])
@pytest.mark.parametrize("mirrored", [1, -1])
def test_turning_follows_the_display_matrix(a, mirrored):
    """Turning agrees with moving each pixel by the matrix; turning back undoes it."""
    u, v = a
    matrix = (u * mirrored, v * mirrored, 0, -v, u, 0, 0, 0, 1 << 30)
    plane = np.arange(12).reshape(3, 4)
    turned = turn(plane, matrix)
    positions = {}
    for y in range(3):
        for x in range(4):
            positions[int(plane[y, x])] = (matrix[0] * x + matrix[3] * y, matrix[1] * x + matrix[4] * y)
    left, top = (min(p[i] for p in positions.values()) for i in (0, 1))
    for value, (x, y) in positions.items():
        assert turned[(y - top) >> 16, (x - left) >> 16] == value
    assert np.array_equal(turn_back(turned, matrix), plane)
    if mirrored == 1:
        assert rotation_of(matrix) == {(65536, 0): 0, (0, 65536): 90, (-65536, 0): 180, (0, -65536): 270}[a]
