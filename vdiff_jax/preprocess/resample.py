"""Changes of size by good filters."""

import jax
from jaxtyping import Array, Float


def reduce(image: Float[Array, "*b h w c"], factor: int) -> Float[Array, "*b h2 w2 c"]:
    """The antialiased bicubic reduction (Keys, a = -0.5) by a whole factor, as Pillow's."""
    *batch, height, width, channels = image.shape
    return jax.image.resize(image, (*batch, height // factor, width // factor, channels), "cubic")


def enlarge(image: Float[Array, "*b h w c"], factor: int) -> Float[Array, "*b h2 w2 c"]:
    """The bicubic enlargement by a whole factor."""
    *batch, height, width, channels = image.shape
    return jax.image.resize(image, (*batch, height * factor, width * factor, channels), "cubic")
