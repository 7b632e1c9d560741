"""Moves what was known in another frame to where it lies in this one (semi-Lagrangian advection)."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.preprocess.grids import average, repeat


def to_grid(velocity: Float[Array, "*b hv wv 2"], factor: int) -> Float[Array, "*b h w 2"]:
    """A velocity field on a grid of one point every `factor` pixels, in that grid's units."""
    if factor < VELOCITY_GRID:
        return repeat(velocity, VELOCITY_GRID // factor) / factor
    return average(velocity, factor // VELOCITY_GRID) / factor


def advect(
    image: Float[Array, "*b h w c"], velocity: Float[Array, "*b h w 2"], *, nearest: bool = False
) -> tuple[Float[Array, "*b h w c"], Float[Array, "*b h w 1"]]:
    """The image at x + velocity(x), and 1 where that lies inside the frame.

    Args:
      image: what to move.
      velocity: displacement (x, y) in the image's own pixels.
      nearest: takes the nearest sample instead of interpolating: keeps what is sharp sharp, costs a quarter.
    """
    height, width = image.shape[-3:-1]
    place = jnp.stack(jnp.meshgrid(jnp.arange(width), jnp.arange(height)), axis=-1).astype(velocity.dtype)
    place = velocity + jnp.broadcast_to(place, velocity.shape)
    x, y = place[..., 0], place[..., 1]
    inside = ((x > -1) & (x < width) & (y > -1) & (y < height)).astype(image.dtype)[..., None]
    if nearest:
        return _take(image, jnp.round(y).astype(int), jnp.round(x).astype(int)) * inside, inside
    x0, y0 = jnp.floor(x), jnp.floor(y)
    fx, fy = (x - x0)[..., None].astype(image.dtype), (y - y0)[..., None].astype(image.dtype)
    column, row = x0.astype(int), y0.astype(int)
    upper = _take(image, row, column) * (1 - fx) + _take(image, row, column + 1) * fx
    lower = _take(image, row + 1, column) * (1 - fx) + _take(image, row + 1, column + 1) * fx
    return upper * (1 - fy) + lower * fy, inside


def _take(
    image: Float[Array, "*b h w c"], row: Int[Array, "*b h w"], column: Int[Array, "*b h w"]
) -> Float[Array, "*b h w c"]:
    """The samples at (row, column), the frame's edge repeated, by one gather of rows of c numbers."""
    height, width, channels = image.shape[-3:]
    index = jnp.clip(row, 0, height - 1) * width + jnp.clip(column, 0, width - 1)
    index = index.reshape(-1, height * width)
    index = index + (jnp.arange(index.shape[0]) * (height * width))[:, None]
    return image.reshape(-1, channels)[index.reshape(-1)].reshape(image.shape)
