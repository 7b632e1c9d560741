"""Interpolate: the frames that exist are known, nothing of the ones between."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from vdiff_jax.corruption.noise import coloured, quantise
from vdiff_jax.observation import Observation
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks import denoise
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.tasks.task import Task
from vdiff_jax.weights import for_task

_NOISY = 0.6
"""The share of clips whose frames have noise that nothing is told of, as most footage has."""
_STRONGEST = 5 / 255


def observe(clip: Float[Array, "t h w 3"], exists: Bool[np.ndarray, " t"]) -> Observation:
    """A Y'CbCr clip of which only the frames that exist are known."""
    known = jnp.broadcast_to(jnp.asarray(exists, jnp.float32).reshape(-1, 1, 1, 1), (*clip.shape[:-1], 1))
    return denoise.observe(clip, jnp.zeros(3), known=known)


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """Every second frame is left out; of noise, the mean of two neighbours has less than each."""
    noise_key, width_key, sigma_key, noisy_key = jax.random.split(key, 4)
    sigma = _STRONGEST * jax.random.uniform(sigma_key) * jax.random.bernoulli(noisy_key, _NOISY)
    noise = coloured(noise_key, clip.shape, jax.random.uniform(width_key, minval=0.3, maxval=1.0))
    noisy = rgb_to_ycbcr(quantise(clip + sigma * noise))
    return observe(noisy, np.arange(clip.shape[0]) % 2 == 0)


TASK = Task(name="interpolate", corrupt=corrupt)


def _plan_interpolate(frames: list[Frame], pixels: PixelFormat, *, weights: str) -> Plan:
    why = "frames at other times were asked for; those that exist stay as they are"
    job = SameSize(pixels, frames[0].planes[0].shape)
    tuned = for_task(weights, "interpolate")
    return Plan(tasks=("interpolate",), weights=tuned, sigma=np.zeros(3, np.float32), sigma_rgb=0.0, why=why, job=job)
