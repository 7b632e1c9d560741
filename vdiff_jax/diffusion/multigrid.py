"""Solves the screened Poisson equation on an image by multigrid V-cycles."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def solve_poisson(
    weight: Float[Array, "h w 1"], source: Float[Array, "h w c"], *, cycles: int = 4, sweeps: int = 3
) -> Float[Array, "h w c"]:
    """Returns the solution u of weight · u - Δu = source, with no flux across the border.

    To interpolate data d by a membrane, the steady state of diffusion, pass weight w > 0 and source w · d where d is
    known, and 0 for both elsewhere. The weight must be positive somewhere.

    The image is padded to multiples of a power of two; the added cells have weight and source 0.

    Args:
      weight: ≥ 0; a larger weight keeps u closer to source / weight.
      source: the right-hand side; each channel is solved on its own.
      cycles: the number of V-cycles; each leaves about a fifth of the error.
      sweeps: red-black Gauss-Seidel sweeps after each coarser level (a sawtooth cycle).

    Source: Briggs, Henson and McCormick, A Multigrid Tutorial, 2000, chapters 3 and 5.
    """
    height, width = source.shape[:2]
    levels = max(0, min(height, width).bit_length() - 3)
    block = 2**levels
    pad = ((0, 0), (0, -height % block), (0, -width % block))
    # Planar channels: a processor reads the contiguous rows of one channel fastest.
    planes = jnp.pad(jnp.moveaxis(source, -1, 0), pad)
    weights = [jnp.pad(jnp.moveaxis(weight, -1, 0), pad)]
    # In units of cells twice as wide, Δ is four times as large.
    for _ in range(levels):
        weights.append(4 * _halve(weights[-1]))
    grids = [_Grid(each) for each in weights]
    guess = jax.lax.fori_loop(0, cycles, lambda _, guess: _cycle(guess, grids, planes, sweeps), jnp.zeros_like(planes))
    return jnp.moveaxis(guess[:, :height, :width], 0, -1)


class _Grid:
    """One level: the weights, the diagonal of the operator, and the red cells of the chequerboard."""

    def __init__(self, weight: Array):
        self.weight = weight
        self.diagonal = weight + self.neighbours(jnp.ones_like(weight))
        self.red = np.indices(weight.shape).sum(axis=0) % 2 == 0

    def neighbours(self, image: Array) -> Array:
        """The sum of the four neighbours that exist."""
        padded = jnp.pad(image, ((0, 0), (1, 1), (1, 1)))
        return padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]


def _cycle(guess: Array, grids: list[_Grid], source: Array, sweeps: int) -> Array:
    """One V-cycle: solves for the residual on the coarser grids, adds the result and smooths."""
    grid = grids[0]
    if len(grids) == 1:
        return _smooth(guess, grid, source, 24)
    residual = source - grid.diagonal * guess + grid.neighbours(guess)
    coarse = 4 * _halve(residual)
    guess = guess + _double(_cycle(jnp.zeros_like(coarse), grids[1:], coarse, sweeps))
    return _smooth(guess, grid, source, sweeps)


def _smooth(guess: Array, grid: _Grid, source: Array, sweeps: int) -> Array:
    """Red-black Gauss-Seidel sweeps."""
    inverse_diagonal = 1 / grid.diagonal

    def half(step: Array, guess: Array) -> Array:
        return jnp.where(grid.red ^ (step % 2 > 0), (source + grid.neighbours(guess)) * inverse_diagonal, guess)

    # A loop: XLA would fuse an unrolled chain of stencils and compute each of them many times over.
    return jax.lax.fori_loop(0, 2 * sweeps, half, guess)


def _halve(image: Array) -> Array:
    """The mean of each 2 × 2 cells."""
    return 0.25 * (image[..., ::2, ::2] + image[..., 1::2, ::2] + image[..., ::2, 1::2] + image[..., 1::2, 1::2])


def _double(image: Array) -> Array:
    """Linear interpolation onto cells half as wide."""
    for axis in (-2, -1):
        image = jnp.moveaxis(image, axis, -1)
        before = jnp.concatenate([image[..., :1], image[..., :-1]], axis=-1)
        after = jnp.concatenate([image[..., 1:], image[..., -1:]], axis=-1)
        pair = jnp.stack([0.75 * image + 0.25 * before, 0.75 * image + 0.25 * after], axis=-1)
        image = jnp.moveaxis(pair.reshape(*image.shape[:-1], -1), -1, axis)
    return image
