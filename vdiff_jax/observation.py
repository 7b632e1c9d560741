"""What is known of a clip: the one input that every task hands to the network."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Leaf = Any
"""An array; while JAX maps over a tree, anything that stands for one."""
VELOCITY_GRID = 4
"""A velocity stands for this many pixels each way."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Observation:
    """What is known of a clip of t frames, each h w pixels in 3 channels (Y'CbCr in the source's matrix).

    Attributes:
      values: `*b t h w c`, as `known` and `sigma` are: the samples in [0, 1], chroma centred at 0.5; what stands where
        nothing is known does not matter.
      known: 1 where a sample was measured, 0 where it is unknown, per channel.
      sigma: the expected error of what is known, in the unit of `values`; a guess of what was not measured is known
        with the error to expect of it.
      time: `*b t`, each frame's time in frame intervals.
      velocity: `*b t h/4 w/4 4`, displacement in pixels (x, y) from each pixel of frame t to where it lies in the frame
        before that holds something (first pair) and in the next one (second pair), on a grid `VELOCITY_GRID` times
        coarser than the frames; `None` where no motion was measured.
      reduction: `*b t c`, the factor of the antialiased bicubic reduction that each channel was measured through,
        `values` being its bicubic enlargement; 1 where samples were measured themselves; `None`: everywhere.
    """

    values: Leaf
    known: Leaf
    sigma: Leaf
    time: Leaf
    velocity: Leaf = None
    reduction: Leaf = None


def holds(known: Float[Array, "*b h w c"]) -> Float[Array, "*b"]:
    """1 for a frame that holds something, 0 for one of which nothing is known."""
    return jnp.max(known, axis=(-3, -2, -1))


def luma_chroma(planes: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 2"]:
    """One number for luma and one for chroma, whose two planes are always known together."""
    return planes[..., :2]
