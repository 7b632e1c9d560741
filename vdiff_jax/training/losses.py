"""Losses on R'G'B', computed from Y'CbCr, and one that is luma's above all."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from vdiff_jax.preprocess.colour import to_rgb


def charbonnier(result: Float[Array, "*b h w 3"], truth: Float[Array, "*b h w 3"]) -> Float[Array, ""]:
    """The mean of √(d² + ε²), ε = 0.001. Source: Charbonnier et al., ICIP 1994."""
    return jnp.mean(jnp.sqrt(_difference(result, truth) ** 2 + 1e-6))


def mse(result: Float[Array, "*b h w 3"], truth: Float[Array, "*b h w 3"]) -> Float[Array, ""]:
    """The mean squared error."""
    return jnp.mean(_difference(result, truth) ** 2)


def psnr(result: Float[Array, "*b h w 3"], truth: Float[Array, "*b h w 3"]) -> Float[Array, ""]:
    """A tenth of the mean over frames of minus the PSNR in dB: the faintest error counts as the strongest does.

    A frame's error is taken for 3e-6 (55 dB) more than it is, so that what is all but perfect does not rule.
    """
    error = jnp.mean(_difference(result, truth) ** 2, axis=(-3, -2, -1))
    return jnp.mean(jnp.log10(error + 3e-6))


def psnr_y(result: Float[Array, "*b h w 3"], truth: Float[Array, "*b h w 3"]) -> Float[Array, ""]:
    """The same of luma alone, and a fifth of it of chroma: what detail is judged by, unmixed with stored chroma's."""
    error = jnp.mean((result - truth) ** 2, axis=(-3, -2))
    return jnp.mean(0.8 * jnp.log10(error[..., 0] + 3e-6) + 0.2 * jnp.log10(error[..., 1:].mean(axis=-1) + 3e-6))


def _difference(result: Float[Array, "*b h w 3"], truth: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 3"]:
    return (result - truth) @ to_rgb("bt601").T


LOSSES = {"charbonnier": charbonnier, "mse": mse, "psnr": psnr, "psnr_y": psnr_y}
