"""Moves images from another frame to this one along the optical flow (semi-Lagrangian advection)."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.preprocess.grids import average, repeat


def to_grid(velocity: Float[Array, "*b hv wv 2"], factor: int) -> Float[Array, "*b h w 2"]:
    """A velocity field on a grid of one point every `factor` pixels, in that grid's units."""
    if factor < VELOCITY_GRID:
        return repeat(velocity, VELOCITY_GRID // factor) / factor
    return average(velocity, factor // VELOCITY_GRID) / factor


def advect(
    image: Float[Array, "*b h w c"], velocity: Float[Array, "*b h w 2"]
) -> tuple[Float[Array, "*b h w c"], Float[Array, "*b h w 1"]]:
    """The image's nearest samples to x + velocity(x), and 1 where that place lies inside the frame.

    Args:
      image: the image of the other frame.
      velocity: displacement (x, y) in pixels of the image.
    """
    height, width = image.shape[-3:-1]
    x, y = _places(velocity, 1)
    inside = ((x > -1) & (x < width) & (y > -1) & (y < height)).astype(image.dtype)[..., None]
    return _blocks(image, _pixel(x, width, 1), _pixel(y, height, 1), 1)[..., 0, :] * inside, inside


def advect_unshuffled(
    image: Float[Array, "*b h w c"], velocity: Float[Array, "*b hb wb 2"], *, nearest: bool = False
) -> tuple[Float[Array, "*b hb wb cb"], Float[Array, "*b hb wb 1"]]:
    """The image at x + velocity(x), unshuffled; each block of pixels moves as one.

    Args:
      image: the image of the other frame, at least one pixel larger than a block.
      velocity: displacement (x, y) in the image's pixels, of each square block.
      nearest: takes the nearest samples instead of interpolating bilinearly.

    Returns:
      The moved image, and 1 where the whole block lies inside the frame.
    """
    height, width, channels = image.shape[-3:]
    side = height // velocity.shape[-3]
    right, bottom = width - side, height - side
    x, y = _places(velocity, side)
    inside = ((x > -1) & (x < right + 1) & (y > -1) & (y < bottom + 1)).astype(image.dtype)[..., None]
    shape = (*velocity.shape[:-1], side**2 * channels)
    if nearest:
        return _blocks(image, _pixel(x, width, side), _pixel(y, height, side), side).reshape(shape), inside
    x, y = jnp.clip(x, 0, right), jnp.clip(y, 0, bottom)
    left, top = jnp.minimum(jnp.floor(x), right - 1), jnp.minimum(jnp.floor(y), bottom - 1)
    block = _blocks(image, left.astype(int), top.astype(int), side + 1)
    block = _between(block[..., :-channels], block[..., channels:], x - left)
    return _between(block[..., :-1, :], block[..., 1:, :], y - top).reshape(shape), inside


def _places(velocity: Float[Array, "*b h w 2"], spacing: int) -> tuple[Array, Array]:
    """x + velocity(x) in pixels, as x and y, for the points of a grid of `spacing` pixels."""
    height, width = velocity.shape[-3:-1]
    x = jnp.broadcast_to(spacing * jnp.arange(width, dtype=velocity.dtype), velocity.shape[:-1])
    y = jnp.broadcast_to(spacing * jnp.arange(height, dtype=velocity.dtype)[:, None], velocity.shape[:-1])
    return velocity[..., 0] + x, velocity[..., 1] + y


def _pixel(place: Array, size: int, side: int) -> Array:
    """The nearest pixel from which a block of `side` pixels fits into `size`; of two as near, the later one."""
    return jnp.clip(jnp.floor(place + 0.5), 0, size - side).astype(int)


def _blocks(
    image: Float[Array, "*b h w c"], x: Int[Array, "*b hp wp"], y: Int[Array, "*b hp wp"], side: int
) -> Float[Array, "*b hp wp s cs"]:
    """The block of `side` × `side` pixels at each (x, y), by one gather."""
    height, width, channels = image.shape[-3:]
    rows = image.reshape(-1, height, width * channels)
    number = jnp.arange(rows.shape[0]).repeat(x.size // rows.shape[0])
    blocks = lax.gather(
        rows,
        jnp.stack([number, y.reshape(-1), channels * x.reshape(-1)], axis=-1),
        lax.GatherDimensionNumbers(offset_dims=(1, 2), collapsed_slice_dims=(0,), start_index_map=(0, 1, 2)),
        (1, side, side * channels),
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )
    return blocks.reshape(*x.shape, side, side * channels)


def _between(a: Array, b: Array, weight: Float[Array, "*b hp wp"]) -> Array:
    """Linear interpolation from a (weight 0) to b (weight 1)."""
    weight = jnp.broadcast_to(weight[..., None, None], a.shape).astype(a.dtype)
    return a * (1 - weight) + b * weight
