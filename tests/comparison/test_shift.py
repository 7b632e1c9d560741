"""A shift by one frame is found in either direction; noise and other videos are not taken for one."""

import numpy as np
import pytest

from vdiff_jax.comparison.shift import ShiftDetector


def scene(count):
    """A bright square that moves by 3 pixels a frame."""
    clip = np.zeros((count, 72, 128, 3), np.float32)
    for n in range(count):
        clip[n, 20:50, 3 * n : 3 * n + 40] = 0.9
    return clip


def shift_of(reference, test):
    detector = ShiftDetector()
    for first in range(0, len(reference), 3):
        detector.add(reference[first : first + 3], test[first : first + 3])
    return detector.shift()


@pytest.mark.parametrize(("shift", "first"), [(0, 1), (1, 0), (-1, 2)])
def test_a_shift_is_found_under_noise(shift, first):
    clip = scene(14)
    noise = np.random.default_rng(0).normal(0, 0.05, (12, 72, 128, 3)).astype(np.float32)
    assert shift_of(clip[1:13], clip[first : first + 12] + noise) == shift


def test_equal_still_short_and_other_videos_have_none():
    clip = scene(12)
    assert shift_of(clip, clip) == 0
    assert shift_of(clip[:1].repeat(12, 0), clip[:1].repeat(12, 0) + 0.1) == 0
    assert shift_of(clip[1:4], clip[:3]) == 0
    assert shift_of(clip, clip[::-1]) == 0
