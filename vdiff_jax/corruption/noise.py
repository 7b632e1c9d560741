"""Noise as cameras, film and transmission add it."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

Noise = Float[Array, "t h w c"]
Scalar = Float[Array, ""] | float


def gaussian(key: PRNGKeyArray, clip: Noise, sigma: Scalar) -> Noise:
    """Adds white noise of standard deviation `sigma` (in the clip's unit); frame n's comes from fold_in(key, n)."""
    return clip + sigma * white(key, clip.shape)


def white(key: PRNGKeyArray, shape: tuple[int, ...]) -> Noise:
    """Unit white noise, each frame from its own key."""
    keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(jnp.arange(shape[0]))
    return jax.vmap(lambda k: jax.random.normal(k, shape[1:]))(keys)


def coloured(key: PRNGKeyArray, shape: tuple[int, ...], width: Scalar) -> Noise:
    """Unit noise whose neighbours are alike in space: white noise under a Gaussian of `width` (in pixels, below 1.5).

    Demosaicking, scaling and film's grain correlate noise so.
    """
    offsets = jnp.arange(-3.0, 4.0)
    taps = jnp.exp(-(offsets**2) / (2 * width**2))
    taps = taps / jnp.sqrt(jnp.sum(taps**2))
    noise = white(key, shape)
    for axis in (1, 2):
        noise = sum(tap * jnp.roll(noise, n - 3, axis) for n, tap in enumerate(taps))
    return noise


def camera_sigma(clip: Noise, read: Scalar, shot: Scalar) -> Noise:
    """A sensor's noise: its variance grows with the light. `read`: at black; `shot`: what is added to it at white.

    Source: Foi et al., Practical Poissonian-Gaussian noise modeling, 2008, equation 3.
    """
    return jnp.sqrt(read**2 + shot**2 * jnp.clip(clip, 0, 1))


def grain_sigma(luma: Noise, sigma: Scalar) -> Noise:
    """Film's grain: `sigma` at mid-grey, none where film is all clear or all dense."""
    inside = jnp.clip(luma, 0, 1)
    return sigma * 2 * jnp.sqrt(inside * (1 - inside))


def quantise(clip: Float[Array, "*b h w c"], *, bits: int = 8) -> Float[Array, "*b h w c"]:
    """Clips to [0, 1] and rounds to what `bits` bits can hold."""
    top = 2**bits - 1
    return jnp.round(jnp.clip(clip, 0, 1) * top) / top
