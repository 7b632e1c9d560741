"""Interpolation examples: every second frame is known, sometimes with noise that the observation does not mention."""

import jax
import numpy as np

from vdiff_jax.corruption.noise import quantise
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks.interpolate import TASK


def test_every_second_frame_is_known(clip):
    known = TASK.corrupt(jax.random.key(0), clip).known
    np.testing.assert_array_equal(known.max(axis=(1, 2, 3)), [1, 0, 1, 0])


def test_the_noise_of_some_clips_is_not_mentioned(clip):
    truth, noisy = rgb_to_ycbcr(quantise(clip)), 0
    for seed in range(12):
        observation = TASK.corrupt(jax.random.key(seed), clip)
        off = np.asarray(observation.known * (observation.values - truth))
        assert float(observation.sigma.max()) == 0
        assert np.abs(off).max() < 5 * 5 / 255
        noisy += np.abs(off).max() > 1e-5
    assert 3 < noisy < 12
