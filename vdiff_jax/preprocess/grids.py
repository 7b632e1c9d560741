"""Changes of grid: pixel-unshuffle, its inverse, averages, enlargement by repetition."""

from jaxtyping import Array, Float


def unshuffle(image: Float[Array, "*b h w c"], factor: int = 2) -> Float[Array, "*b h2 w2 c2"]:
    """Moves each `factor` × `factor` block of pixels into the channels: h w c to h/factor w/factor factor²·c."""
    *batch, height, width, channels = image.shape
    blocks = image.reshape(*batch, height // factor, factor, width // factor, factor, channels)
    n = len(batch)
    blocks = blocks.transpose(*range(n), n, n + 2, n + 1, n + 3, n + 4)
    return blocks.reshape(*batch, height // factor, width // factor, factor * factor * channels)


def shuffle(image: Float[Array, "*b h w c"], factor: int = 2) -> Float[Array, "*b h2 w2 c2"]:
    """The inverse of `unshuffle`."""
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
