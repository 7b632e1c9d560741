"""Converts between Y'CbCr and R'G'B', both in [0, 1] with chroma centred at 0.5."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdiff_jax.pixels import LUMA_WEIGHTS, Matrix


def from_rgb(matrix: Matrix) -> Float[np.ndarray, "3 3"]:
    """The matrix M of (Y', Cb, Cr) = M (R', G', B'), without chroma's offset of 0.5."""
    red, blue = LUMA_WEIGHTS[matrix]
    luma = np.array([red, 1 - red - blue, blue])
    cb = (np.array([0, 0, 1]) - luma) / (2 * (1 - blue))
    cr = (np.array([1, 0, 0]) - luma) / (2 * (1 - red))
    return np.stack([luma, cb, cr]).astype(np.float32)


def to_rgb(matrix: Matrix) -> Float[np.ndarray, "3 3"]:
    """The inverse of `from_rgb`."""
    return np.linalg.inv(from_rgb(matrix)).astype(np.float32)


_CENTRE = np.array([0.0, 0.5, 0.5], np.float32)


def rgb_to_ycbcr(image: Float[Array, "*b h w 3"], matrix: Matrix = "bt601") -> Float[Array, "*b h w 3"]:
    """R'G'B' to Y'CbCr."""
    return _offset(image @ from_rgb(matrix).T, _CENTRE)


def ycbcr_to_rgb(image: Float[Array, "*b h w 3"], matrix: Matrix = "bt601") -> Float[Array, "*b h w 3"]:
    """Y'CbCr to R'G'B'; not clipped."""
    return _offset(image, -_CENTRE) @ to_rgb(matrix).T


def _offset(image, offset):
    return image + jnp.asarray(offset).reshape((1,) * (image.ndim - 1) + (3,))


def noise_in_ycbcr(sigma: float, matrix: Matrix = "bt601") -> Float[np.ndarray, "3"]:
    """The standard deviation that white R'G'B' noise of `sigma` has in Y', Cb and Cr."""
    return sigma * np.linalg.norm(from_rgb(matrix), axis=1)
