"""Diffusion of the difference across the seam: a multigrid solver of the screened Poisson equation, in pure JAX."""

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from vdiff_jax.diffusion.multigrid import solve

_AGREED = 16 / 255  # a difference of this size between cameras is as likely a thing seen by one of them as exposure
_DATA = 0.5  # weight of a trusted difference against the membrane's smoothness


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
