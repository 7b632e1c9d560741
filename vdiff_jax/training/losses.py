"""Losses on R'G'B', computed from Y'CbCr."""

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


def _difference(result: Float[Array, "*b h w 3"], truth: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 3"]:
    return (result - truth) @ to_rgb("bt601").T


LOSSES = {"charbonnier": charbonnier, "mse": mse, "psnr": psnr}
