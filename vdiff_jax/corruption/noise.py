"""Noise as cameras, film and transmission add it."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


def gaussian(
    key: PRNGKeyArray, clip: Float[Array, "t h w c"], sigma: Float[Array, ""] | float
) -> Float[Array, "t h w c"]:
    """Adds white noise of standard deviation `sigma` (in the clip's unit); frame n's comes from fold_in(key, n)."""
    return clip + sigma * white(key, clip.shape)


def white(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "t h w c"]:
    """Unit white noise, each frame from its own key."""
    keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(jnp.arange(shape[0]))
    return jax.vmap(lambda k: jax.random.normal(k, shape[1:]))(keys)


def quantise(clip: Float[Array, "*b h w c"], *, bits: int = 8) -> Float[Array, "*b h w c"]:
    """Clips to [0, 1] and rounds to what `bits` bits can hold."""
    top = 2**bits - 1
    return jnp.round(jnp.clip(clip, 0, 1) * top) / top
