"""Deblocking examples: the observation says about the error that the codec left."""

import jax.numpy as jnp
import numpy as np

from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks.deblock import TASK


def test_sigma_grows_with_the_error_that_is_left(clip):
    large = jnp.repeat(jnp.repeat(clip, 4, 1), 4, 2)
    left, said = [], []
    for seed in range(24):
        observation = TASK.corrupt_on_host(np.random.default_rng(seed), np.asarray(large))
        left.append(np.abs(observation.values - rgb_to_ycbcr(large))[..., 0].mean())
        said.append(observation.sigma[..., 0].mean())
    assert np.corrcoef(np.log(left), np.log(said))[0, 1] > 0.4
