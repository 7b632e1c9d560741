"""The mix of repaired frames with the input."""

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.strength import Mix

PIXELS = PixelFormat(kind="gray", full_range=True)


def frames(*values):
    return [Frame((np.full((2, 3), value, np.uint8),), n) for n, value in enumerate(values)]


@pytest.mark.parametrize(("strength", "expected"), [(0, [10, 20, 250]), (0.5, [55, 10, 252]), (1, [100, 0, 255])])
def test_the_share_of_the_result(strength, expected):
    mix = Mix(strength, PIXELS)
    assert [int(frame.planes[0][0, 0]) for frame in mix.keep(frames(10, 20, 250))] == [10, 20, 250]
    mixed = list(mix.mix(frames(100, 0, 255)))
    assert [int(frame.planes[0][1, 2]) for frame in mixed] == expected
    assert [frame.pts for frame in mixed] == [0, 1, 2]


def test_a_resumed_run_mixes_the_frames_that_are_left():
    mix = Mix(0.5, PIXELS, done=2)
    for _ in mix.keep(frames(0, 0, 200)):
        pass
    assert [int(frame.planes[0][0, 0]) for frame in mix.mix(frames(100))] == [150]
