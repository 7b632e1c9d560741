"""Frames that a track at half rate leaves out."""

import numpy as np

from vdiff_jax.compression.interpolation import Interpolator
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.weights import load

PIXELS = PixelFormat(kind="gray", full_range=True)


def test_given_frames_stay_and_missing_ones_lie_between(tiny):
    frames = [Frame((np.full((32, 32), level, np.uint8),), pts) for pts, level in ((7, 80), (9, 84), (10, 86))]
    made = list(Interpolator(load(tiny), PIXELS, (32, 32))(iter(frames), [0, 2, 3], Stopwatch()))
    assert [frame.pts for frame in made] == [0, 1, 2, 3]
    for number, frame in zip((0, 2, 3), frames):
        np.testing.assert_array_equal(made[number].planes[0], frame.planes[0])
    assert made[1].planes[0].shape == (32, 32)
