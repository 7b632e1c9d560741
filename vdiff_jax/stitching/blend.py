"""Blends the cameras by diffusion: corrections that remove steps at seams, and the filling of unseen pixels."""

import functools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from vdiff_jax.diffusion.multigrid import solve_poisson

_TOLERANCE = 16 / 255  # a larger difference is probably not exposure, but an object that only one camera sees
_DATA_WEIGHT = 0.5  # of a difference of full confidence, relative to the smoothness of the correction

State = tuple[Float[Array, "n h w 3"], Float[Array, "n h w 1"]]
"""Running averages over time: of the differences times their confidence, and of that confidence."""


def initial_state(shape: tuple[int, int, int, int]) -> State:
    """Returns the state before the first call of `seam_corrections`, for pictures of shape n h w 3."""
    return jnp.zeros(shape), jnp.zeros((*shape[:3], 1))


@functools.partial(jax.jit, static_argnames=("reach",))
def seam_corrections(
    pictures: Float[Array, "n h w 3"],
    seen: Bool[Array, "n h w"],
    labels: Int[Array, "h w"],
    state: State,
    rate: Float[Array, ""],
    *,
    reach: float,
) -> tuple[Float[Array, "n h w 3"], State]:
    """Returns what to add to each camera's picture so that no step remains at the seams.

    Each camera's difference from the mean of all cameras that see a cell is averaged over time. Large differences have
    little confidence: a large one is an object that only one camera sees, which must not be blended. The differences
    are interpolated by a membrane, weighted by their confidence. Then the remaining jumps across the seams are diffused
    as in Poisson blending, with a screening term, by which the correction fades over `reach` cells.

    Args:
      pictures: the cameras on the reduced canvas, gains applied, [0, 1].
      seen: the cells that each camera sees.
      labels: the camera that each cell is taken from; -1 for none.
      state: the running averages that the last call returned; `initial_state` at first.
      rate: the weight of this moment in the running averages, 0 to 1.
      reach: the distance in cells over which a correction fades to 1/e.

    Returns:
      The correction for each camera, valid in its own cells and next to them, and the new state.

    Source: Pérez et al., Poisson Image Editing, 2003; Agarwala, Efficient Gradient-Domain Compositing Using
    Quadtrees, 2007, which solves for the correction instead of the picture; Bhat et al., 2008 (screening).
    """
    weight = seen[..., None].astype(pictures.dtype)
    count = weight.sum(axis=0, keepdims=True)
    mean = (pictures * weight).sum(axis=0, keepdims=True) / jnp.maximum(count, 1.0)
    difference = (pictures - mean) * weight
    overlap = (count > 1) * weight
    confidence = overlap / (1 + (jnp.abs(difference).max(axis=-1, keepdims=True) / _TOLERANCE) ** 4)
    total = (1 - rate) * state[0] + rate * confidence * difference
    mean_confidence = (1 - rate) * state[1] + rate * confidence
    solve_each = jax.vmap(lambda weight, source: solve_poisson(weight, source, cycles=3))
    membranes = solve_each(_DATA_WEIGHT * mean_confidence + 1e-4, _DATA_WEIGHT * total)
    common = solve_poisson(jnp.full((*labels.shape, 1), reach**-2), _jump_divergence(membranes, labels), cycles=3)
    own = jnp.take_along_axis(membranes, jnp.maximum(labels, 0)[None, ..., None], axis=0)
    # This holds outside the cameras' views too: corrections are enlarged later and must not jump at a view's edge.
    elsewhere = (labels[None] != jnp.arange(len(pictures))[:, None, None]) & (labels[None] >= 0)
    return common[None] + elsewhere[..., None] * (own - membranes), (total, mean_confidence)


def _jump_divergence(membranes: Array, labels: Array) -> Array:
    """Minus the divergence of the jumps that the correction must make between cells of different cameras."""
    source = jnp.zeros(membranes.shape[1:])
    for axis in (0, 1):
        ahead = jnp.roll(labels, -1, axis)
        last = jnp.arange(labels.shape[axis]) == labels.shape[axis] - 1
        last = last[:, None] if axis == 0 else last[None]
        crossing = (labels != ahead) & (labels >= 0) & (ahead >= 0) & ~last
        both = _difference(membranes, labels, ahead) + _difference(jnp.roll(membranes, -1, axis + 1), labels, ahead)
        value = jnp.where(crossing[..., None], 0.5 * both, 0.0)
        # The correction must rise by `value` from this cell to the next one.
        source = source - value + jnp.roll(value, 1, axis)
    return source


def _difference(membranes: Array, labels: Array, ahead: Array) -> Array:
    """How much brighter the camera of `labels` is than that of `ahead`, cell by cell."""
    here = jnp.take_along_axis(membranes, jnp.maximum(labels, 0)[None, ..., None], axis=0)[0]
    there = jnp.take_along_axis(membranes, jnp.maximum(ahead, 0)[None, ..., None], axis=0)[0]
    return here - there


@functools.partial(jax.jit, static_argnames=("cycles",))
def _membrane(weight: Float[Array, "h w 1"], source: Float[Array, "h w c"], cycles: int) -> Float[Array, "h w c"]:
    return solve_poisson(weight, source, cycles=cycles)


def fill_by_diffusion(
    clip: Float[np.ndarray, "t h w c"], mask: Float[np.ndarray, "t h w 1"]
) -> Float[np.ndarray, "t h w c"]:
    """Fills the pixels where `mask` is 1 with a membrane between their surroundings (homogeneous diffusion).

    A membrane is smooth, so it is computed on at most 128 × 256 cells and enlarged.

    Args:
      clip: frames in [0, 1].
      mask: 1 where no camera sees the pixel.
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
        membrane = np.asarray(_membrane(weight, source, 8))
        large = cv2.resize(membrane, (grid[1] * step, grid[0] * step), interpolation=cv2.INTER_LINEAR)
        result[index] = np.where(gap > 0, large[:height, :width], frame)
    return result.clip(0, 1)
