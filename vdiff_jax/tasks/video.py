"""How a task converts a video: from its planes to an observation, and from a result back to planes."""

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
class ChunkInputs:
    """A chunk of n frames of one shot, and the frame after them, as arrays (n1 is n + 1).

    Attributes:
      planes: `n1 h w` each, as they are stored.
      valid: `n1`, 1 for a frame that has content, 0 for an empty or a missing one.
      error: `n1 h w`, the expected error of propagated samples in [0, 1], infinite where nothing is known, 0 outside
        the mask; `None` without a mask.
      velocity: of the n frames, as in an Observation.
      time: `n1`, in frame intervals.
      sigma: `n1 3`, the expected error of Y', Cb and Cr, in [0, 1].
    """

    planes: Leaf
    valid: Leaf
    error: Leaf
    velocity: Leaf
    time: Leaf
    sigma: Leaf


@runtime_checkable
class Conversion(Protocol):
    """How a task converts videos of one pixel format and size.

    Attributes:
      pixels: the video's pixel format.
      size: the video's height and width.
      scale: how many times larger the frames are that the restorer works on.
    """

    @property
    def pixels(self) -> PixelFormat: ...

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def scale(self) -> int: ...

    def written(self) -> tuple[PixelFormat, tuple[int, int]]:
        """The output's pixel format and (height, width)."""
        ...


@runtime_checkable
class NetworkConversion(Conversion, Protocol):
    """A conversion by the network. It is a static argument of the compiled function, so it must be hashable."""

    def observe(self, inputs: ChunkInputs, multiple: int) -> Observation:
        """The observation of the n + 1 frames, padded to a multiple of `multiple`; without velocity."""
        ...

    def planes(self, inputs: ChunkInputs, result: Float[Array, "n hp wp 3"]) -> Planes:
        """The planes of the n results, which are padded as the observation is."""
        ...


def everywhere(inputs: ChunkInputs, clip: Float[Array, "n1 hp wp 3"]) -> Float[Array, "n1 hp wp 3"]:
    """1 on every sample of a frame that has content, 0 on the others."""
    return jnp.broadcast_to(inputs.valid.reshape(-1, 1, 1, 1), clip.shape)


def like(channels: Float[Array, "n1 3"], clip: Float[Array, "n1 hp wp 3"]) -> Float[Array, "n1 hp wp 3"]:
    """A figure for each frame and channel, repeated for every sample of a clip."""
    return jnp.broadcast_to(channels.reshape(-1, 1, 1, 3), clip.shape)
