"""Push-pull filling on the host, and that it agrees with the device's form in what both promise; DIS's settings."""

import cv2
import numpy as np

from vdiff_jax.stream.dis import COARSE, FINE, MEDIUM, WIENER, make_dis
from vdiff_jax.stream.push_pull import push_pull_fill


def test_known_pixels_stay_and_unknown_ones_lie_between_them():
    rng = np.random.default_rng(0)
    image = rng.uniform(0.2, 0.6, (13, 18, 2)).astype(np.float32)
    known = (rng.random((13, 18)) < 0.3).astype(np.float32)
    filled = push_pull_fill(np.where(known[..., None], image, 9).astype(np.float32), known)
    np.testing.assert_array_equal(filled[known > 0], image[known > 0])
    assert filled.min() + 1e-6 >= 0.2
    assert filled.max() <= 0.6 + 1e-6


def test_nothing_known_is_zero_and_everything_known_is_unchanged():
    image = np.random.default_rng(1).random((9, 7, 1), np.float32)
    np.testing.assert_array_equal(push_pull_fill(image, np.zeros((9, 7), np.float32)), 0)
    np.testing.assert_array_equal(push_pull_fill(image, np.ones((9, 7), np.float32)), image)


def test_dis_has_the_settings_that_are_given_and_the_presets_others():
    preset = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    coarse, fine, wiener = map(make_dis, (COARSE, FINE, WIENER))
    assert (coarse.getFinestScale(), coarse.getPatchStride()) == (1, preset.getPatchStride())
    assert (fine.getFinestScale(), fine.getPatchStride(), fine.getVariationalRefinementIterations()) == (0, 3, 0)
    assert fine.getGradientDescentIterations() == preset.getGradientDescentIterations()
    assert (wiener.getPatchStride(), wiener.getGradientDescentIterations()) == (5, 8)
    assert wiener.getVariationalRefinementIterations() == 1
    medium = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    assert make_dis(MEDIUM).getGradientDescentIterations() == medium.getGradientDescentIterations()
