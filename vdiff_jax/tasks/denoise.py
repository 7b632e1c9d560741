"""Denoise: everything is known, with an error."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.corruption.noise import gaussian, quantise
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import noise_in_ycbcr, rgb_to_ycbcr
from vdiff_jax.tasks.task import Task

STRONGEST = 55 / 255
"""The strongest noise that is trained for."""


def observe(
    clip: Float[Array, "t h w 3"], sigma: Float[Array, "3"], *, known: Float[Array, "t h w 1"] | None = None
) -> Observation:
    """A Y'CbCr clip whose three channels have noise of `sigma`, known everywhere or where `known` is 1."""
    known = jnp.ones((*clip.shape[:-1], 1)) if known is None else known
    known = jnp.broadcast_to(known, clip.shape)
    return Observation(
        values=clip * known,
        known=known,
        sigma=jnp.broadcast_to(sigma.reshape(1, 1, 1, 3), clip.shape),
        time=jnp.arange(clip.shape[0], dtype=jnp.float32),
    )


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """White R'G'B' noise of sigma 0 to 55, three times out of four clipped and rounded to 8 bits as in a file."""
    sigma_key, noise_key, store_key, told_key = jax.random.split(key, 4)
    sigma = STRONGEST * jax.random.uniform(sigma_key)
    noisy = gaussian(noise_key, clip, sigma)
    noisy = jnp.where(jax.random.bernoulli(store_key, 0.75), quantise(noisy), noisy)
    # What is told of sigma is a little off, as an estimate is.
    told = sigma * jnp.exp(0.05 * jax.random.normal(told_key))
    return observe(rgb_to_ycbcr(noisy), told * noise_in_ycbcr(1.0))


TASK = Task(name="denoise", corrupt=corrupt)
