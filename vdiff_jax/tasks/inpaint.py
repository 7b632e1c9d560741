"""Inpaint: everything outside the mask is known, exactly or with an error."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.corruption import holes
from vdiff_jax.corruption.noise import gaussian, quantise
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import noise_in_ycbcr, rgb_to_ycbcr
from vdiff_jax.tasks import denoise
from vdiff_jax.tasks.task import Task


def observe(clip: Float[Array, "t h w 3"], mask: Float[Array, "t h w 1"], sigma: Float[Array, "3"]) -> Observation:
    """A Y'CbCr clip of which nothing is known where `mask` is 1; elsewhere it has noise of `sigma`, often 0."""
    return denoise.observe(clip, sigma, known=1 - mask)


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """A still logo, a moving figure, scratches, dirt or drop-outs; one time in three under noise."""
    kind_key, mask_key, share_key, sigma_key, noisy_key, noise_key = jax.random.split(key, 6)
    shape = clip.shape[:3]
    share = jax.random.uniform(share_key, minval=0.05, maxval=0.5)
    makers = [
        lambda k: holes.logo(k, shape),
        lambda k: holes.moving(k, shape),
        lambda k: holes.scratches(k, shape),
        lambda k: jnp.maximum(holes.blotches(k, shape), holes.scratches(k, shape, lines=2)),
        lambda k: holes.drop_outs(k, shape, share),
    ]
    mask = jax.lax.switch(jax.random.randint(kind_key, (), 0, len(makers)), makers, mask_key)
    sigma = 30 / 255 * jax.random.uniform(sigma_key) * jax.random.bernoulli(noisy_key, 0.33)
    noisy = quantise(gaussian(noise_key, clip, sigma))
    return observe(rgb_to_ycbcr(noisy), mask, sigma * noise_in_ycbcr(1.0))


TASK = Task(name="inpaint", corrupt=corrupt)
