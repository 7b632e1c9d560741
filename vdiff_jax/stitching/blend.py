"""Diffusion of the difference across the seam: a multigrid solver of the screened Poisson equation, in pure JAX."""

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

_AGREED = 16 / 255  # a difference of this size between cameras is as likely a thing seen by one of them as exposure
_DATA = 0.5  # weight of a trusted difference against the membrane's smoothness


def solve(
    weight: Float[Array, "h w 1"], source: Float[Array, "h w c"], *, cycles: int = 4, sweeps: int = 3
) -> Float[Array, "h w c"]:
    """Solves weight · u - Δu = source with no flux across the border, by multigrid V-cycles.

    Sizes are rounded up to multiples of a power of two; the cells added belong to the domain and know nothing.

    With weight and source 0 where nothing is known, weight w and source w · d where u should be near d, this is the
    membrane that diffusion comes to rest at; it needs a positive weight somewhere.

    Args:
      weight: how firmly each cell holds to source / weight, ≥ 0.
      source: the right-hand side; channels are solved side by side.
      cycles: V-cycles; each leaves about a fifth of the error.
      sweeps: red-black Gauss-Seidel sweeps after each coarser level (a sawtooth cycle).

    Source: Briggs, Henson and McCormick, A Multigrid Tutorial, 2000, chapters 3 and 5.
    """
    height, width = source.shape[:2]
    levels = max(0, min(height, width).bit_length() - 3)
    block = 2**levels
    pad = ((0, 0), (0, -height % block), (0, -width % block))
    # Rows of one channel are what the processor reads fastest.
    planes = jnp.pad(jnp.moveaxis(source, -1, 0), pad)
    weights = [jnp.pad(jnp.moveaxis(weight, -1, 0), pad)]
    # Cells twice as wide make Δ four times as large in the coarse cells' unit.
    for _ in range(levels):
        weights.append(4 * _halve(weights[-1]))
    grids = [_Grid(each) for each in weights]
    guess = jax.lax.fori_loop(0, cycles, lambda _, guess: _cycle(guess, grids, planes, sweeps), jnp.zeros_like(planes))
    return jnp.moveaxis(guess[:, :height, :width], 0, -1)


class _Grid:
    """One level: the weights, the diagonal of the operator, the red cells of the chequerboard."""

    def __init__(self, weight: Array):
        self.weight = weight
        self.diagonal = weight + self.neighbours(jnp.ones_like(weight))
        self.red = np.indices(weight.shape).sum(axis=0) % 2 == 0

    def neighbours(self, image: Array) -> Array:
        """The sum of the four neighbours that exist."""
        padded = jnp.pad(image, ((0, 0), (1, 1), (1, 1)))
        return padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]


def _cycle(guess: Array, grids: list[_Grid], source: Array, sweeps: int) -> Array:
    grid = grids[0]
    if len(grids) == 1:
        return _smooth(guess, grid, source, 24)
    left = source - grid.diagonal * guess + grid.neighbours(guess)
    coarse = 4 * _halve(left)
    guess = guess + _double(_cycle(jnp.zeros_like(coarse), grids[1:], coarse, sweeps))
    return _smooth(guess, grid, source, sweeps)


def _smooth(guess: Array, grid: _Grid, source: Array, sweeps: int) -> Array:
    share = 1 / grid.diagonal

    def half(step: Array, guess: Array) -> Array:
        return jnp.where(grid.red ^ (step % 2 > 0), (source + grid.neighbours(guess)) * share, guess)

    # A loop, not an unrolled chain: XLA would fuse the stencils and compute each one many times over.
    return jax.lax.fori_loop(0, 2 * sweeps, half, guess)


def _halve(image: Array) -> Array:
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


@functools.partial(jax.jit, static_argnames=("reach",))
def corrections(
    pictures: Float[Array, "n h w 3"],
    seen: Bool[Array, "n h w"],
    labels: Int[Array, "h w"],
    memory: tuple[Float[Array, "n h w 3"], Float[Array, "n h w 1"]],
    rate: Float[Array, ""],
    *,
    reach: float,
) -> tuple[Float[Array, "n h w 3"], tuple[Float[Array, "n h w 3"], Float[Array, "n h w 1"]]]:
    """What to add to each camera's picture so that no step is left at the seams.

    Each camera's difference from the mean of those that see the place is averaged over time, trusted where it is
    small (a large one is something only one camera sees, and must not bleed), and spread as a membrane; then the jumps
    across the seams are spread as Poisson blending does, fading over `reach` cells so that the rest stays as it is.

    Args:
      pictures: the cameras on the reduced canvas, gains applied, [0, 1].
      seen: what each camera sees.
      labels: which camera each cell is taken from; -1 for none.
      memory: what the last call returned, zeros at first.
      rate: the share of this moment in the average over time, 0 to 1.
      reach: cells over which a correction fades to 1/e.

    Returns:
      The correction for each camera, valid in its own cells and next to them, and the memory.

    Source: Pérez et al., Poisson Image Editing, 2003; Agarwala, Efficient Gradient-Domain Compositing Using
    Quadtrees, 2007, which solves for the correction instead of the picture; Bhat et al., 2008, for the screening.
    """
    weight = seen[..., None].astype(pictures.dtype)
    count = weight.sum(axis=0, keepdims=True)
    mean = (pictures * weight).sum(axis=0, keepdims=True) / jnp.maximum(count, 1.0)
    difference = (pictures - mean) * weight
    shared = (count > 1) * weight
    trust = shared / (1 + (jnp.abs(difference).max(axis=-1, keepdims=True) / _AGREED) ** 4)
    total = (1 - rate) * memory[0] + rate * trust * difference
    trusted = (1 - rate) * memory[1] + rate * trust
    spread = jax.vmap(lambda known, value: solve(known, value, cycles=3))(
        _DATA * trusted + 1e-4, _DATA * total
    )  # fmt: skip
    common = solve(jnp.full((*labels.shape, 1), reach**-2), _jumps(spread, labels), cycles=3)
    own = jnp.take_along_axis(spread, jnp.maximum(labels, 0)[None, ..., None], axis=0)
    # Also where a camera sees nothing: its correction is enlarged, and must not change abruptly at its edge.
    elsewhere = (labels[None] != jnp.arange(len(pictures))[:, None, None]) & (labels[None] >= 0)
    return common[None] + elsewhere[..., None] * (own - spread), (total, trusted)


def _jumps(spread: Array, labels: Array) -> Array:
    """Minus the divergence of the jumps that the correction must make between cells of different cameras."""
    source = jnp.zeros(spread.shape[1:])
    for axis in (0, 1):
        ahead = jnp.roll(labels, -1, axis)
        last = jnp.arange(labels.shape[axis]) == labels.shape[axis] - 1
        last = last[:, None] if axis == 0 else last[None]
        crossing = (labels != ahead) & (labels >= 0) & (ahead >= 0) & ~last
        both = _between(spread, labels, ahead) + _between(jnp.roll(spread, -1, axis + 1), labels, ahead)
        value = jnp.where(crossing[..., None], 0.5 * both, 0.0)
        # Here the correction must rise by `value` from this cell to the next one.
        source = source - value + jnp.roll(value, 1, axis)
    return source


def _between(spread: Array, labels: Array, ahead: Array) -> Array:
    """By how much the camera of `labels` is brighter than that of `ahead`, cell by cell."""
    here = jnp.take_along_axis(spread, jnp.maximum(labels, 0)[None, ..., None], axis=0)[0]
    there = jnp.take_along_axis(spread, jnp.maximum(ahead, 0)[None, ..., None], axis=0)[0]
    return here - there


@functools.partial(jax.jit, static_argnames=("cycles",))
def _membrane(weight: Float[Array, "h w 1"], source: Float[Array, "h w c"], cycles: int) -> Float[Array, "h w c"]:
    return solve(weight, source, cycles=cycles)


def diffuse(clip: Float[np.ndarray, "t h w c"], mask: Float[np.ndarray, "t h w 1"]) -> Float[np.ndarray, "t h w c"]:
    """Fills what no camera saw (`mask` = 1) with the membrane spanned by its surroundings (homogeneous diffusion).

    The membrane is smooth, so it is solved on at most 128 × 256 cells and enlarged.
    """
    height, width = clip.shape[1:3]
    step = max(1, -(-height // 128), -(-width // 256))
    grid = (-(-height // step // 32) * 32 + 32, -(-width // step // 32) * 32 + 32)
    extra = ((0, grid[0] * step - height), (0, grid[1] * step - width), (0, 0))
    result = np.empty_like(clip)
    for index, (frame, gap) in enumerate(zip(clip, mask)):
        known, seen = np.pad(1 - gap, extra), np.pad(frame * (1 - gap), extra)
        weight = cv2.resize(known, grid[::-1], interpolation=cv2.INTER_AREA)[..., None]
        source = cv2.resize(seen, grid[::-1], interpolation=cv2.INTER_AREA)
        spread = np.asarray(_membrane(weight, source, 8))
        large = cv2.resize(spread, (grid[1] * step, grid[0] * step), interpolation=cv2.INTER_LINEAR)
        result[index] = np.where(gap > 0, large[:height, :width], frame)
    return result.clip(0, 1)
