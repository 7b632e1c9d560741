"""Changes of grid by whole factors: pixel-unshuffle, its inverse, block means, enlargement by repetition."""

import functools

import numpy as np
from jaxtyping import Array, Float

# Matrices over the channels of a block's pixels; loops over three channels are slow.


@functools.cache
def block_mean(channels: int) -> Float[np.ndarray, "c 3"]:
    """The matrix from an unshuffled image of so many channels to the mean of each block."""
    return np.tile(np.eye(3, dtype=np.float32), (channels // 3, 1)) / (channels // 3)


@functools.cache
def pairs_to_channels(channels: int) -> Float[np.ndarray, "p c"]:
    """The matrix from (luma, chroma) of each pixel of a block to its three channels; Cb and Cr get the same value.

    Args:
      channels: of all pairs, two for each pixel.
    """
    return np.kron(np.eye(channels // 2, dtype=np.float32), np.array([[1, 0, 0], [0, 1, 1]], np.float32))


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
