"""What is known of a clip: the one input that every task hands to the network."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Leaf = Any
"""An array, or whatever JAX puts in its place while it maps over a tree."""
VELOCITY_GRID = 4
"""The spacing of the grid of velocities, in pixels."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Observation:
    """What is known of a clip of t frames, each h w pixels in 3 channels (Y'CbCr in the source's matrix).

    Attributes:
      values: `*b t h w c`, the samples in [0, 1], chroma centred at 0.5; any value where `known` is 0.
      known: `*b t h w c`, 1 where a sample is known, 0 where it is unknown. A guess counts as known, with a `sigma`.
      sigma: `*b t h w c`, the expected error of what is known, in the unit of `values`.
      time: `*b t`, each frame's time in frame intervals.
      velocity: `*b t h/4 w/4 4`, displacements in pixels (x, y) from each pixel of frame t to its place in the last
        frame with content (first pair) and in the next one (second pair), on a grid `VELOCITY_GRID` times coarser than
        the frames; `None` if no motion was measured. A frame has content if any of its samples is known.
      reduction: `*b t c`, the factor of the antialiased bicubic reduction through which each channel was measured;
        `values` are then its bicubic enlargement. 1 for samples measured directly; `None`: all were.
    """

    values: Leaf
    known: Leaf
    sigma: Leaf
    time: Leaf
    velocity: Leaf = None
    reduction: Leaf = None


def holds(known: Float[Array, "*b h w c"]) -> Float[Array, "*b"]:
    """1 for a frame with content, of which some sample is known; 0 for an empty frame."""
    return jnp.max(known, axis=(-3, -2, -1))
