"""The network where no camera looked and between clips: the same rollout that repairs video, over what is known."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Bool, Float

from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import start
from vdiff_jax.media import Frame, PixelFormat
from vdiff_jax.preprocess.chunks import chunks, prepare
from vdiff_jax.preprocess.colour import rgb_to_ycbcr, ycbcr_to_rgb
from vdiff_jax.preprocess.motion import see, velocity
from vdiff_jax.restorer import Restorer
from vdiff_jax.stitch.source import RGB
from vdiff_jax.tasks import interpolate
from vdiff_jax.weights import Weights

_PIXELS = PixelFormat(kind="rgb", full_range=True)


def fill(network: Weights, moments: Iterable[tuple[RGB, Bool[np.ndarray, "h w"]]]) -> Iterator[RGB]:
    """Frames whose unseen pixels the network has filled; what it saw in one frame it remembers in the next.

    Args:
      network: trained weights.
      moments: frames, and what of each was seen.
    """
    moments = iter(moments)
    first = next(moments, None)
    if first is None:
        return
    restorer = Restorer(network, _PIXELS, first[0].shape[:2], np.zeros(3))
    masks: list[np.ndarray] = []

    def frames() -> Iterator[Frame]:
        for index, (frame, seen) in enumerate(itertools.chain([first], moments)):
            masks.append(~seen)
            yield Frame(planes=tuple(np.moveaxis(frame, -1, 0)), pts=index)

    def holes() -> Iterator[np.ndarray]:
        while True:
            yield masks.pop(0)

    for chunk in chunks(prepare(frames(), holes(), _PIXELS, restorer.multiple), restorer.frames):
        for frame in restorer(chunk):
            yield np.stack(frame.planes, axis=-1)


def bridge(network: Weights, first: RGB, second: RGB, count: int) -> list[RGB]:
    """`count` frames between two, of which the network knows nothing but the two and how far away they are."""
    height, width = first.shape[:2]
    exists = np.array([True, *[False] * count, True])
    graph, params, _ = network
    config = nnx.merge(graph, params).config
    pad = ((0, 0), (0, -height % config.multiple), (0, -width % config.multiple), (0, 0))
    ends = np.pad(np.stack([first, second]).astype(np.float32) / 255, pad, mode="edge")
    clip = np.concatenate([ends[:1], np.zeros((count, *ends.shape[1:]), np.float32), ends[1:]])
    motion = _between(velocity([see(end[..., 1]) for end in ends]), count)

    @jax.jit
    def restore(params: nnx.State, clip, motion):
        known = interpolate.observe(rgb_to_ycbcr(clip), exists)
        observation = dataclasses.replace(known, velocity=motion)
        return ycbcr_to_rgb(rollout(nnx.merge(graph, params), observation, start(config, clip.shape[1:3]))[1])

    made = np.asarray(restore(params, jnp.asarray(clip), jnp.asarray(motion)))[1:-1, :height, :width]
    return list(np.rint(made.clip(0, 1) * 255).astype(np.uint8))


def _between(ends: Float[np.ndarray, "2 hv wv 4"], count: int) -> Float[np.ndarray, "t hv wv 4"]:
    """The velocity field of two frames and of `count` frames that lie evenly between them on straight paths."""
    ahead, back = ends[0, ..., 2:], ends[1, ..., :2]
    result = [ends[0]]
    for share in np.arange(1, count + 1) / (count + 1):
        result.append(np.concatenate([share * back, (1 - share) * ahead], axis=-1))
    return np.stack([*result, ends[1]]).astype(np.float32)
