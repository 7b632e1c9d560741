"""What is known of a clip: the one input that every task hands to the network."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

VELOCITY_GRID = 4
"""A velocity stands for this many pixels each way."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Observation:
    """What is known of a clip of t frames, each h w pixels in 3 channels (Y'CbCr in the source's matrix).

    Attributes:
      values: the samples in [0, 1], chroma centred at 0.5; what stands where nothing is known does not matter.
      known: 1 where a sample was measured, 0 where it is unknown, per channel.
      sigma: the expected error of what is known, in the unit of `values`.
      time: each frame's time in frame intervals.
      velocity: displacement in pixels (x, y) from each pixel of frame t to where it lies in the frame before that holds
        something (first pair) and in the next one (second pair), on a grid `VELOCITY_GRID` times coarser than the
        frames; `None` where no motion was measured.
      reduced: the clip's antialiased bicubic reduction where that is what was measured; `None` otherwise.
    """

    values: Float[Array, "*b t h w c"]
    known: Float[Array, "*b t h w c"]
    sigma: Float[Array, "*b t h w c"]
    time: Float[Array, "*b t"]
    velocity: Float[Array, "*b t hv wv 4"] | None = None
    reduced: Float[Array, "*b t hs ws c"] | None = None


def holds(known: Float[Array, "*b h w c"]) -> Float[Array, "*b"]:
    """1 for a frame that holds something, 0 for one of which nothing is known."""
    return jnp.max(known, axis=(-3, -2, -1))


def luma_chroma(planes: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 2"]:
    """One number for luma and one for chroma, whose two planes are always known together."""
    return planes[..., :2]
