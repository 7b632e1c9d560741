"""Changes of size by the bicubic filter."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

_EDGE = 4
"""Samples that are repeated beyond each edge before filtering."""


def reduce(image: Float[Array, "*b h w c"], factor: int) -> Float[Array, "*b h2 w2 c"]:
    """The antialiased bicubic reduction (Keys, a = -0.5) by a whole factor, as Pillow's."""
    *batch, height, width, channels = image.shape
    return jax.image.resize(image, (*batch, height // factor, width // factor, channels), "cubic")


def enlarge(image: Float[Array, "*b h w c"], factor: int) -> Float[Array, "*b h2 w2 c"]:
    """The bicubic enlargement (Keys, a = -0.5) by a whole factor."""
    *batch, height, width, channels = image.shape
    return jax.image.resize(image, (*batch, height * factor, width * factor, channels), "cubic")


def resample(
    plane: Float[Array, "*b h w"],
    size: tuple[int, int],
    *,
    scale: tuple[float, float] | None = None,
    shift: tuple[float, float] = (0.0, 0.0),
) -> Float[Array, "*b h2 w2"]:
    """A plane on another grid, by the antialiased bicubic filter; edges are repeated outside.

    Args:
      plane: what to resample.
      size: height and width of the new grid.
      scale: new samples for one old one, (y, x); by default the ratio of the sizes.
      shift: the corner of the old grid in the new one, in new samples, (y, x).
    """
    *batch, height, width = plane.shape
    scale = scale or (size[0] / height, size[1] / width)
    if (height, width) == size and scale == (1.0, 1.0) and shift == (0.0, 0.0):
        return plane
    padded = jnp.pad(plane, [(0, 0)] * len(batch) + [(_EDGE, _EDGE)] * 2, mode="edge")
    translation = jnp.array([s - _EDGE * r for s, r in zip(shift, scale)])
    axes = (plane.ndim - 2, plane.ndim - 1)
    return jax.image.scale_and_translate(padded, (*batch, *size), axes, jnp.array(scale), translation, "cubic")
