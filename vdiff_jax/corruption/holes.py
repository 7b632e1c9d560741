"""Masks of random holes: logos, moving objects, scratches, drop-outs, dirt. 1 means lost."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

Mask = Float[Array, "t h w 1"]


def logo(key: PRNGKeyArray, shape: tuple[int, int, int], *, smallest: float = 12.0, largest: float = 56.0) -> Mask:
    """A still rectangle or ellipse at a random place, the same in every frame.

    Args:
      key: draws the figure.
      shape: frames, height and width.
      smallest, largest: the range of its height and width in pixels.
    """
    return jnp.broadcast_to(_figure(key, shape, smallest, largest, speed=0.0), (*shape, 1))


def moving(key: PRNGKeyArray, shape: tuple[int, int, int], *, smallest: float = 12.0, largest: float = 48.0) -> Mask:
    """A rectangle or ellipse that moves by up to 6 pixels a frame; arguments as for `logo`."""
    return _figure(key, shape, smallest, largest, speed=6.0)


def _figure(key: PRNGKeyArray, shape: tuple[int, int, int], smallest: float, largest: float, *, speed: float) -> Mask:
    count, height, width = shape
    centre_key, size_key, speed_key, round_key = jax.random.split(key, 4)
    size = jax.random.uniform(size_key, (2,), minval=smallest, maxval=largest) / 2
    centre = jax.random.uniform(centre_key, (2,)) * jnp.array([height, width])
    drift = jax.random.uniform(speed_key, (2,), minval=-speed, maxval=speed)
    t = jnp.arange(count)[:, None, None]
    y = (jnp.arange(height)[None, :, None] - centre[0] - drift[0] * t) / size[0]
    x = (jnp.arange(width)[None, None, :] - centre[1] - drift[1] * t) / size[1]
    ellipse = x**2 + y**2 < 1
    rectangle = jnp.maximum(jnp.abs(x), jnp.abs(y)) < 1
    return jnp.where(jax.random.bernoulli(round_key, 0.4), ellipse, rectangle).astype(jnp.float32)[..., None]


def scratches(key: PRNGKeyArray, shape: tuple[int, int, int], *, lines: int = 4, width: float = 2.0) -> Mask:
    """Film scratches: `lines` nearly vertical lines, about `width` pixels wide, that drift and flicker."""
    count, height, columns = shape
    keys = jax.random.split(key, 5)
    start = jax.random.uniform(keys[0], (lines,), maxval=columns)
    slope = jax.random.uniform(keys[1], (lines,), minval=-0.06, maxval=0.06)
    jitter = jnp.cumsum(jax.random.normal(keys[2], (count, lines)), axis=0)
    present = jax.random.bernoulli(keys[3], 0.8, (count, lines))
    thick = width * jax.random.uniform(keys[4], (lines,), minval=0.75, maxval=1.25)
    y = jnp.arange(height)[None, :, None, None]
    x = jnp.arange(columns)[None, None, :, None]
    centre = start[None, None, None] + slope[None, None, None] * y + jitter[:, None, None]
    hit = (jnp.abs(x - centre) < thick[None, None, None] / 2) & present[:, None, None]
    return jnp.any(hit, axis=-1, keepdims=True).astype(jnp.float32)


def drop_outs(key: PRNGKeyArray, shape: tuple[int, int, int], share: Float[Array, ""] | float) -> Mask:
    """Drop-outs: each pixel of each frame is lost with probability `share`."""
    keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(jnp.arange(shape[0]))
    lost = jax.vmap(lambda k: jax.random.uniform(k, (*shape[1:], 1)))(keys) < share
    return lost.astype(jnp.float32)


def blotches(key: PRNGKeyArray, shape: tuple[int, int, int], *, share: float = 0.03, size: int = 6) -> Mask:
    """Dirt: irregular blobs of about `size` pixels that cover about `share` of each frame, new ones in every frame."""
    count, height, width = shape
    coarse = (height // size + 2, width // size + 2, 1)
    keys = jax.vmap(lambda n: jax.random.fold_in(key, n))(jnp.arange(count))
    field = jax.vmap(lambda k: jax.random.normal(k, coarse))(keys)
    smooth = jax.image.resize(field, (count, coarse[0] * size, coarse[1] * size, 1), "cubic")[:, :height, :width]
    # The threshold is the share's quantile of the interpolated field, whose deviation is about 0.75.
    return (smooth > 0.75 * jax.scipy.stats.norm.ppf(1 - share)).astype(jnp.float32)
