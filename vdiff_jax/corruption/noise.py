"""Noise of cameras, film and transmission."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

Clip = Float[Array, "t h w c"]
Scalar = Float[Array, ""] | float


def gaussian(key: PRNGKeyArray, clip: Clip, sigma: Scalar) -> Clip:
    """The clip with white noise of standard deviation `sigma`, in the clip's unit. Frame n uses fold_in(key, n)."""
    return clip + sigma * white(key, clip.shape)


def white(key: PRNGKeyArray, shape: tuple[int, ...]) -> Clip:
    """Unit white noise, each frame from its own key."""
    keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(jnp.arange(shape[0]))
    return jax.vmap(lambda k: jax.random.normal(k, shape[1:]))(keys)


def correlated(key: PRNGKeyArray, shape: tuple[int, ...], width: Scalar) -> Clip:
    """Spatially correlated noise of standard deviation 1: white noise filtered by a Gaussian.

    Demosaicking, scaling and film grain give such noise.

    Args:
      key: draws the noise.
      shape: `t h w c`.
      width: the Gaussian's sigma in pixels, below 1.5.
    """
    offsets = jnp.arange(-3.0, 4.0)
    taps = jnp.exp(-(offsets**2) / (2 * width**2))
    taps = taps / jnp.sqrt(jnp.sum(taps**2))
    noise = white(key, shape)
    for axis in (1, 2):
        noise = sum(tap * jnp.roll(noise, n - 3, axis) for n, tap in enumerate(taps))
    return noise


def camera_sigma(clip: Clip, read: Scalar, shot: Scalar) -> Clip:
    """The standard deviation of a sensor's noise, whose variance grows with brightness.

    Args:
      clip: in [0, 1].
      read: the standard deviation at black.
      shot: the standard deviation of the shot noise at white, which is added to `read`'s.

    Source: Foi et al., Practical Poissonian-Gaussian noise modeling, 2008, equation 3.
    """
    return jnp.sqrt(read**2 + shot**2 * jnp.clip(clip, 0, 1))


def grain_sigma(luma: Clip, sigma: Scalar) -> Clip:
    """The standard deviation of film grain: `sigma` at mid-grey, zero at black and white."""
    inside = jnp.clip(luma, 0, 1)
    return sigma * 2 * jnp.sqrt(inside * (1 - inside))


def quantise(clip: Float[Array, "*b h w c"], *, bits: int = 8) -> Float[Array, "*b h w c"]:
    """The clip clipped to [0, 1] and rounded to `bits` bits."""
    top = 2**bits - 1
    return jnp.round(jnp.clip(clip, 0, 1) * top) / top
