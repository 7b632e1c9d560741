"""How a task takes a video: from its planes to what is known of it, and from a result back to planes."""

import dataclasses
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdiff_jax.observation import Leaf, Observation
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.preprocess.planes import Planes


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Given:
    """What was read and measured of n frames of one shot and the one after them.

    Attributes:
      planes: `n1 h w` each.
      valid: `n1`, 1 for a frame that is there.
      error: `n1 h w`, in levels, to be expected of what was guessed, infinite where nothing is known; `None` without a
        mask.
      velocity: of the n frames, as an Observation's.
      time: `n1`, in frame intervals.
      sigma: `n1 3`, the expected error of Y', Cb and Cr, in levels.
    """

    planes: Leaf
    valid: Leaf
    error: Leaf
    velocity: Leaf
    time: Leaf
    sigma: Leaf


@runtime_checkable
class Conversion(Protocol):
    """What a task makes of videos of one pixel format and size.

    Attributes:
      pixels: the video's pixel format.
      size: the video's height and width.
      scale: how many times larger than the video's frames those are that the restorer works on.
    """

    @property
    def pixels(self) -> PixelFormat: ...

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def scale(self) -> int: ...

    def written(self) -> tuple[PixelFormat, tuple[int, int]]:
        """Pixel format and (height, width) of the frames that come out."""
        ...


@runtime_checkable
class Job(Conversion, Protocol):
    """A conversion by the network; all of it is static, so that it is compiled once."""

    def observe(self, given: Given, multiple: int) -> Observation:
        """What is known of the n + 1 frames, padded to a multiple; the velocity is left out."""
        ...

    def planes(self, given: Given, result: Float[Array, "n hp wp 3"]) -> Planes:
        """The n results, padded as the observation is, as planes."""
        ...


def everywhere(given: Given, clip: Float[Array, "n1 hp wp 3"]) -> Float[Array, "n1 hp wp 3"]:
    """1 on frames that are there."""
    return jnp.broadcast_to(given.valid.reshape(-1, 1, 1, 1), clip.shape)


def like(channels: Float[Array, "n1 3"], clip: Float[Array, "n1 hp wp 3"]) -> Float[Array, "n1 hp wp 3"]:
    """One number a frame and channel, for every sample of a clip."""
    return jnp.broadcast_to(channels.reshape(-1, 1, 1, 3), clip.shape)
