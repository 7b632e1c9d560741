"""A network ready to restore one video: compiled once for its size, the state carried from chunk to chunk."""

import time
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Float

from vdiff_jax import weights
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import Carry, start
from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.observation import Observation
from vdiff_jax.postprocess.planes import changed_planes
from vdiff_jax.preprocess.chunks import Chunk
from vdiff_jax.preprocess.planes import Planes, clip_of_planes, known_of_mask

_PIXELS_A_CHUNK = 2_000_000
_LONGEST = 8


class Restorer:
    """Restores one video chunk by chunk.

    Args:
      network: trained weights.
      pixels: what the video's planes mean.
      size: the frames' height and width.
      sigma_of: the expected error of Y', Cb and Cr, in levels, of frames with these quantisers.
    """

    def __init__(
        self,
        network: weights.Weights,
        pixels: PixelFormat,
        size: tuple[int, int],
        sigma_of: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, "n 3"]],
    ):
        self._definition, self._params, _ = network
        self._pixels, self._sigma_of = pixels, sigma_of
        self._config = nnx.merge(self._definition, self._params).config
        self.multiple = self._config.multiple
        self.frames = int(np.clip(_PIXELS_A_CHUNK // (size[0] * size[1]), 1, _LONGEST))
        self._padded = tuple(side + -side % self.multiple for side in size)
        self._carry = self._start()
        self._index = 0
        self._compiled = None
        self.compile_seconds = 0.0

    def __call__(self, chunk: Chunk) -> list[Frame]:
        """The restored frames of a chunk; chunks come in order."""
        if chunk.starts_shot:
            self._carry = self._start()
        time_of = np.float32(self._index) + np.arange(len(chunk.valid), dtype=np.float32)
        inputs = (chunk.planes, chunk.valid, chunk.mask, chunk.velocity, time_of, self._sigma_of(chunk.quantisers))
        if self._compiled is None:
            self._compiled = self._compile(inputs)
        self._carry, planes = self._compiled(self._params, self._carry, *inputs)
        self._index += len(chunk.frames)
        planes = [np.asarray(plane) for plane in planes]
        return [
            Frame(tuple(plane[n] for plane in planes), frame.pts, frame.duration)
            for n, frame in enumerate(chunk.frames)
        ]

    def _start(self) -> Carry:
        return start(self._config, self._padded)

    def _compile(self, inputs: tuple):
        begun = time.monotonic()
        restore = partial(restore_planes, self._definition, self._pixels, self.multiple)
        compiled = jax.jit(restore).lower(self._params, self._carry, *inputs).compile()
        self.compile_seconds = time.monotonic() - begun
        return compiled


def restore_planes(
    definition: nnx.GraphDef,
    pixels: PixelFormat,
    multiple: int,
    params: nnx.State,
    carry: Carry,
    planes: Planes,
    valid: Float[Array, " n1"],
    mask: Array | None,
    velocity: Float[Array, "n hv wv 4"],
    time_of: Float[Array, " n1"],
    sigma: Float[Array, "n1 3"],
) -> tuple[Carry, Planes]:
    """One chunk, planes in and planes out: preprocess, diffuse, postprocess. Pure."""
    clip = clip_of_planes(planes, pixels, multiple)
    there = jnp.broadcast_to(valid.reshape(-1, 1, 1, 1), clip.shape)
    known = there if mask is None else there * known_of_mask(mask, pixels, multiple)
    observation = Observation(
        values=clip * known,
        known=known,
        sigma=jnp.broadcast_to(sigma.reshape(-1, 1, 1, 3), clip.shape),
        time=time_of,
    )
    frames = jax.tree.map(lambda leaf: leaf[:-1], observation)
    following = jax.tree.map(lambda leaf: leaf[-1:], observation)
    frames = Observation(**{**vars(frames), "velocity": velocity})
    carry, result = rollout(nnx.merge(definition, params), frames, carry, following=following)
    return carry, changed_planes(tuple(plane[:-1] for plane in planes), result - clip[:-1], pixels)
