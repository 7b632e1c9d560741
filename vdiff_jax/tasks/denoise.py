"""Denoise: removes noise. Every sample is known, with an expected error."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.corruption.coding import coded, rgb_to_stored
from vdiff_jax.corruption.noise import camera_sigma, correlated, grain_sigma, quantise, white
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import from_rgb, noise_in_ycbcr, rgb_to_ycbcr
from vdiff_jax.preprocess.grids import average, repeat
from vdiff_jax.tasks.finish import deflicker, wiener
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request
from vdiff_jax.tasks.same_size import STRONGEST, given_or_measured_sigma, observe, plan_of
from vdiff_jax.tasks.task import Task

KINDS = (0.7, 0.1, 0.1, 0.1)
"""The shares of training clips with white noise, camera noise, correlated noise and film grain."""
CODED = 0.1
"""The share of training clips that are coded by a video codec after noise is added."""
FINISH = (deflicker, wiener)


def plan(request: Request) -> Plan:
    """Plans to remove noise of the given or the measured sigma, and to fill the holes of a mask if there is one."""
    return plan_of(request, "denoise", *given_or_measured_sigma(request), finish=FINISH)


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """Adds noise of sigma 0 to 55 in 8-bit units, weak more often than strong, mostly white.

    Three clips out of four are then clipped and rounded to 8 bits, as in a file. Where noise depends on brightness,
    half of the observations have a sigma for each sample, the others one sigma for the clip.
    """
    sigma_key, noise_key, store_key, estimate_key, kind_key, place_key = jax.random.split(key, 6)
    sigma = STRONGEST * jax.random.uniform(sigma_key) ** 1.5
    kind = jax.random.choice(kind_key, len(KINDS), p=jnp.array(KINDS))
    noise, expected = jax.lax.switch(kind, [_white, _camera, _correlated, _grain], noise_key, clip, sigma)
    noisy = clip + noise
    noisy = jnp.where(jax.random.bernoulli(store_key, 0.75), quantise(noisy), noisy)
    everywhere = jnp.sqrt(jnp.mean(expected**2, axis=(0, 1, 2), keepdims=True))
    expected = jnp.where(jax.random.bernoulli(place_key), expected, everywhere)
    # Measured sigmas are off by a few per cent, so the observation's sigma is too.
    estimated = expected * jnp.exp(0.05 * jax.random.normal(estimate_key))
    return observe(rgb_to_ycbcr(noisy), estimated)


def corrupt_by_codec(rng: np.random.Generator, clip: Float[np.ndarray, "t h w 3"]) -> Observation:
    """Adds noise of sigma 0 to 40 and codes the clip; the observation's sigma is about the true error that is left."""
    noisy = clip + rng.uniform(0, 40 / 255) * rng.standard_normal(clip.shape, np.float32)
    decoded = coded(rng, np.clip(noisy, 0, 1)).clip
    error = np.sqrt(np.mean((decoded - rgb_to_stored(clip)) ** 2, axis=(0, 1, 2)))
    return observe(jnp.asarray(decoded), jnp.asarray(error * np.exp(0.1 * rng.normal()), jnp.float32))


def _white(key, clip, sigma):
    return sigma * white(key, clip.shape), jnp.broadcast_to(sigma * noise_in_ycbcr(1.0), clip.shape)


def _camera(key, clip, sigma):
    share_key, key = jax.random.split(key)
    shot = jnp.sqrt(jax.random.uniform(share_key, minval=0.5))
    read = sigma * jnp.sqrt(1 - shot**2)
    variance = camera_sigma(_around(clip), read, shot * sigma) ** 2 @ jnp.asarray(from_rgb("bt601").T ** 2)
    return camera_sigma(clip, read, shot * sigma) * white(key, clip.shape), jnp.sqrt(variance)


def _correlated(key, clip, sigma):
    width_key, key = jax.random.split(key)
    noise = correlated(key, clip.shape, jax.random.uniform(width_key, minval=0.3, maxval=1.0))
    return sigma * noise, jnp.broadcast_to(sigma * noise_in_ycbcr(1.0), clip.shape)


def _grain(key, clip, sigma):
    """Film grain: the same in R', G' and B', so chroma has none."""
    width_key, key = jax.random.split(key)
    noise = correlated(key, (*clip.shape[:3], 1), jax.random.uniform(width_key, minval=0.4, maxval=1.2))
    luma = rgb_to_ycbcr(clip)[..., :1]
    expected = grain_sigma(_around(luma), sigma)
    noise = jnp.broadcast_to(grain_sigma(luma, sigma) * noise, clip.shape)
    return noise, jnp.concatenate([expected, jnp.zeros_like(clip[..., 1:])], axis=-1)


def _around(clip: Float[Array, "t h w c"]) -> Float[Array, "t h w c"]:
    """The mean brightness around a pixel, in which noise cancels out."""
    return repeat(average(clip, 4), 4)


TASK = Task(name="denoise", plan=plan, corrupt=corrupt, corrupt_on_host=corrupt_by_codec, share_on_host=CODED)
