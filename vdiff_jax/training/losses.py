"""Training losses of a Y'CbCr clip: three on R'G'B', and one mostly on luma."""

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
    """Minus a tenth of the mean PSNR of the frames in dB, so that weak and strong errors count the same.

    3e-6 (55 dB) is added to each frame's squared error; without it, nearly perfect frames would dominate.
    """
    error = jnp.mean(_difference(result, truth) ** 2, axis=(-3, -2, -1))
    return jnp.mean(jnp.log10(error + 3e-6))


def psnr_y(result: Float[Array, "*b h w 3"], truth: Float[Array, "*b h w 3"]) -> Float[Array, ""]:
    """As `psnr`, of luma (weight 0.8) and of chroma (weight 0.2) instead of R'G'B'; luma carries the detail."""
    error = jnp.mean((result - truth) ** 2, axis=(-3, -2))
    return jnp.mean(0.8 * jnp.log10(error[..., 0] + 3e-6) + 0.2 * jnp.log10(error[..., 1:].mean(axis=-1) + 3e-6))


LOSSES = {"charbonnier": charbonnier, "mse": mse, "psnr": psnr, "psnr_y": psnr_y}


def _difference(result: Float[Array, "*b h w 3"], truth: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 3"]:
    """The error in R'G'B'."""
    return (result - truth) @ to_rgb("bt601").T
