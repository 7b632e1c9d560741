"""Changes of grid by whole factors: pixel-unshuffle, its inverse, block means, enlargement by repetition."""

import numpy as np
from jaxtyping import Array, Float

# Matrices over the channels of a block's four pixels; loops over three channels are slow.
MEAN = np.tile(np.eye(3, dtype=np.float32), (4, 1)) / 4
"""12 × 3: from an unshuffled image to the mean of each block."""
PAIR_TO_CHANNELS = np.kron(np.eye(4, dtype=np.float32), np.array([[1, 0, 0], [0, 1, 1]], np.float32))
"""8 × 12: from (luma, chroma) of each of four pixels to their 12 channels; Cb and Cr get the same value."""


def unshuffle(image: Float[Array, "*b h w c"], factor: int = 2) -> Float[Array, "*b h2 w2 c2"]:
    """Moves each `factor` × `factor` block of pixels into the channels: h w c to h/factor w/factor factor²·c."""
    *batch, height, width, channels = image.shape
    blocks = image.reshape(*batch, height // factor, factor, width // factor, factor, channels)
    n = len(batch)
    blocks = blocks.transpose(*range(n), n, n + 2, n + 1, n + 3, n + 4)
    return blocks.reshape(*batch, height // factor, width // factor, factor * factor * channels)


def shuffle(image: Float[Array, "*b h w c"], factor: int = 2) -> Float[Array, "*b h2 w2 c2"]:
    """The inverse of `unshuffle`: moves channels into `factor` × `factor` blocks of pixels."""
    *batch, height, width, channels = image.shape
    blocks = image.reshape(*batch, height, width, factor, factor, channels // factor**2)
    n = len(batch)
    blocks = blocks.transpose(*range(n), n, n + 2, n + 1, n + 3, n + 4)
    return blocks.reshape(*batch, height * factor, width * factor, channels // factor**2)


def average(image: Float[Array, "*b h w c"], factor: int = 2) -> Float[Array, "*b h2 w2 c"]:
    """The mean of each `factor` × `factor` block."""
    *batch, height, width, channels = image.shape
    n = len(batch)
    blocks = image.reshape(*batch, height // factor, factor, width // factor, factor, channels)
    return blocks.mean(axis=(n + 1, n + 3))


def repeat(image: Float[Array, "*b h w c"], factor: int = 2) -> Float[Array, "*b h2 w2 c"]:
    """Each pixel as a `factor` × `factor` block."""
    return image.repeat(factor, axis=-3).repeat(factor, axis=-2)
