"""Deblock: everything is known, with the error that coding left."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.corruption.blocking import quantised_blocks
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks import denoise
from vdiff_jax.tasks.task import Task


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """Transform coding of every frame by itself; the error that is told is that of rounding to the quantiser's step."""
    step = 0.02 * 10 ** jax.random.uniform(key)
    coded = quantised_blocks(rgb_to_ycbcr(clip), step)
    return denoise.observe(coded, jnp.full(3, step / 12**0.5))


TASK = Task(name="deblock", corrupt=corrupt)
