"""Anisotropic diffusion of chroma within a frame, stopped by edges in luma; solved coarse to fine."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from vdiff_jax.preprocess.grids import average

EDGE = 6 / 255
"""The step in luma, in [0, 1], that halves the conductivity."""
_DATA_WEIGHT = 4.0
"""A known chroma value has this weight times confidence² / (1 - confidence); each of its four neighbours at most 1."""
_NEUTRAL_WEIGHT = 1e-3
"""The weight of grey in every cell; the same on every level, so that it does not limit how far colours reach."""
_SWEEPS = 6


@functools.partial(jax.jit, static_argnames=("sweeps",))
def conduct(
    chroma: Float[Array, "h w 2"], confidence: Float[Array, "h w"], luma: Float[Array, "h w"], *, sweeps: int = _SWEEPS
) -> Float[Array, "h w 2"]:
    """Chroma diffused from where it is trusted into the rest of the frame, up to luma's edges.

    Minimises Σ w (u - chroma)² + Σ c (u - u')² over pixels and pairs of neighbours; w grows with confidence and
    c = 1 / (1 + (ΔY / EDGE)²). Each level of a pyramid starts from the coarser level's solution and is relaxed by
    red-black Gauss-Seidel sweeps. No sweep raises the energy, however steep the edges are.

    Args:
      chroma: Cb and Cr in [0, 1]; any value where confidence is 0.
      confidence: 0 to 1.
      luma: in [0, 1].
      sweeps: Gauss-Seidel sweeps on each level.

    Returns:
      Cb and Cr in [0, 1]; 0.5 where no trusted chroma reaches.

    Source: Perona and Malik, 1990 (conductivity); Levin et al., Colorization using Optimization, 2004; Bornemann and
    Deuflhard, The cascadic multigrid method, 1996.
    """
    weight = jnp.square(confidence) / (1.0001 - confidence)
    weight = _DATA_WEIGHT * jnp.minimum(weight, 100.0)[None]
    planes = jnp.moveaxis(chroma - 0.5, -1, 0)
    return jnp.moveaxis(_relaxed(planes * weight, weight, luma[None], sweeps), 0, -1) + 0.5


def _relaxed(source: Array, weight: Array, luma: Array, sweeps: int) -> Array:
    """The solution on one level, after the coarser ones; source is weight times value, `c h w`, the others `1 h w`."""
    height, width = luma.shape[1:]
    if min(height, width) > 2:
        pad = ((0, 0), (0, height % 2), (0, width % 2))
        # Cells twice as wide have four times the data weight, while the neighbours' weights stay the same.
        coarse, heavy = (4 * _halved(jnp.pad(planes, pad)) for planes in (source, weight))
        guess = _relaxed(coarse, heavy, _halved(jnp.pad(luma, pad, mode="edge")), sweeps)
        guess = guess.repeat(2, -2).repeat(2, -1)[:, :height, :width]
    else:
        total = (weight + _NEUTRAL_WEIGHT).sum()
        guess = jnp.broadcast_to(source.sum(axis=(1, 2), keepdims=True) / total, source.shape)
    right, below = (_conductivity(luma, axis) for axis in (2, 1))
    left, above = jnp.roll(right, 1, 2), jnp.roll(below, 1, 1)
    inverse_diagonal = 1 / (weight + _NEUTRAL_WEIGHT + right + left + below + above)
    red = np.indices(luma.shape).sum(axis=0) % 2 == 0  # the one plane's index is 0

    def half(step: Array, guess: Array) -> Array:
        pull = right * jnp.roll(guess, -1, 2) + left * jnp.roll(guess, 1, 2)
        pull = pull + below * jnp.roll(guess, -1, 1) + above * jnp.roll(guess, 1, 1)
        return jnp.where(red ^ (step % 2 > 0), (source + pull) * inverse_diagonal, guess)

    return lax.fori_loop(0, 2 * sweeps, half, guess)


def _conductivity(luma: Array, axis: int) -> Array:
    """The conductivity between each cell and the next one along an axis; 0 across the border."""
    ahead = 1 / (1 + jnp.square((jnp.roll(luma, -1, axis) - luma) / EDGE))
    inside = np.indices(luma.shape)[axis] < luma.shape[axis] - 1
    return ahead * inside


def _halved(planes: Array) -> Array:
    return jnp.moveaxis(average(jnp.moveaxis(planes, 0, -1)), -1, 0)
