"""Denoising examples: the observation says the noise that was added."""

import jax
import jax.numpy as jnp
import numpy as np

from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks.denoise import TASK


def test_the_observation_says_the_noise_that_was_added():
    """White, a sensor's, correlated and film's, for each brightness by itself where it is said so."""
    steps = jnp.repeat(jnp.array([0.25, 0.5, 0.75]), 32).reshape(1, 1, 96, 1)
    flat = jnp.broadcast_to(steps, (4, 64, 96, 3))
    corrupt = jax.jit(TASK.corrupt)
    by_sample = 0
    for seed in range(24):
        observation = corrupt(jax.random.key(seed), flat)
        error = np.square(observation.values - rgb_to_ycbcr(flat)).reshape(4, 64, 3, 32, 3)
        said = np.square(observation.sigma).reshape(4, 64, 3, 32, 3)
        by_sample += np.ptp(said[0, 0, :, 0, 0]) > 1e-6
        measured, expected = (np.sqrt(x.mean(axis=(0, 1, 2, 3))) for x in (error, said))
        np.testing.assert_allclose(expected, measured, rtol=0.25, atol=3e-3)
    assert 0 < by_sample < 24


def test_sigma_of_noise_under_a_codec_is_the_error_that_is_left(clip):
    large = jnp.repeat(jnp.repeat(clip, 4, 1), 4, 2)
    for seed in range(3):
        observation = TASK.corrupt_on_host(np.random.default_rng(seed), np.asarray(large))
        left = np.sqrt(np.mean(np.square(observation.values - rgb_to_ycbcr(large)), axis=(0, 1, 2)))
        np.testing.assert_allclose(observation.sigma[0, 0, 0], left, rtol=0.4)
