"""Fine-tunes the network to one video by gradient descent through the recurrence."""

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jaxtyping import Array, Float

from vdiff_jax.compression.closed_loop import ClosedLoop
from vdiff_jax.compression.weight_update import changed, size_of
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import start
from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import spans
from vdiff_jax.preprocess.grids import average
from vdiff_jax.preprocess.planes import Planes, chroma_scale, clip_of_planes
from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.tasks.projection import project
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.tasks.video import ChunkInputs

log = logging.getLogger(__name__)

_FRAMES = 6
"""Frames of a crop."""
_SIDE = 96
"""Height and width of a crop, in pixels."""
_BATCH = 4
"""Crops of a gradient step."""
_LEARNING_RATE = 0.03
"""At the first step, in units of the update; it falls to 0 along a cosine."""
_SHRINKAGE = 0.3
"""Each step moves every number towards 0 by this share of the learning rate.

So a number whose gradients do not agree from step to step stays 0, which takes almost no bytes.
"""
_IN_RGB = np.array([3.0, 3.26, 2.48], np.float32)
"""How much an error of Y', Cb and Cr counts in R'G'B': sums of squares over the BT.601 matrix's columns."""
_ALIGNMENT = 8
"""Crops begin and end at multiples of this many pixels, the grid of the coarsest level; velocities lie on it too."""


class Batch(NamedTuple):
    """Crops of the samples.

    Attributes:
      inputs: the decoded frames, `b n1`, of which the last is only look-ahead.
      truth: the source's planes, `b n`.
      weight: each plane's weight in the loss.
    """

    inputs: ChunkInputs
    truth: Planes
    weight: Float[Array, "b n 3"]


def fine_tune(loop: ClosedLoop, *, steps: int, seed: int) -> Float[np.ndarray, " n"]:
    """The update of the network's parameters, in units, that Adam finds by gradients through the recurrence.

    The loss is the squared error in R'G'B' relative to that of the decoded frames, as a mean over frames.

    Args:
      loop: the decoder on the samples.
      steps: of gradient descent, at least 1.
      seed: of the crops.
    """
    network = loop.network
    batches = _batches(loop, np.random.default_rng(seed))
    first = next(batches)
    side = first.inputs.planes[0].shape[-2:]
    job = SameSize(loop.pixels, side)
    loss = partial(_loss, network.definition, network.params, job, first.inputs.planes[0].shape[-3] - 1)
    schedule = optax.cosine_decay_schedule(_LEARNING_RATE, steps)
    adam = optax.adam(schedule)

    @jax.jit
    def step(update, state, batch, threshold):
        value, gradient = jax.value_and_grad(loss)(update, batch)
        change, state = adam.update(gradient, state)
        moved = optax.apply_updates(update, change)
        return jnp.sign(moved) * jnp.maximum(jnp.abs(moved) - threshold, 0), state, value

    update = jnp.zeros(size_of(network.params))
    state = adam.init(update)
    values = []
    for index in range(steps):
        update, state, value = step(update, state, next(batches), _SHRINKAGE * schedule(index))
        values.append(float(value))
    fifth = max(1, len(values) // 5)
    log.debug("loss relative to the decoded frames': %.4f, then %.4f", *map(np.mean, (values[:fifth], values[-fifth:])))
    return np.asarray(update)


def _loss(
    definition: nnx.GraphDef, params: nnx.State, job: SameSize, frames: int, update: Array, batch: Batch
) -> Array:
    """The loss of an update; `frames` is the number of a crop's frames without the look-ahead."""
    network = nnx.merge(definition, changed(params, update))
    multiple = network.config.multiple
    observation = jax.vmap(lambda inputs: job.observe(inputs, multiple))(batch.inputs)
    clip = jax.tree.map(lambda leaf: leaf[:, :frames], observation)
    following = jax.tree.map(lambda leaf: leaf[:, frames:], observation)
    clip = dataclasses.replace(clip, velocity=batch.inputs.velocity)
    carry = start(network.config, (clip.values.shape[0], *clip.values.shape[2:4]))
    _, result = rollout(network, clip, carry, following=following, project=project)
    pixels = job.written()[0]
    difference = result - clip_of_planes(batch.truth, pixels, multiple)
    return jnp.sum(batch.weight * _errors(difference, pixels))


def _errors(difference: Float[Array, "b n h w 3"], pixels: PixelFormat) -> Float[Array, "b n 3"]:
    """The mean squared error of each plane, at chroma's own resolution."""
    luma = jnp.mean(difference[..., 0] ** 2, axis=(-2, -1))
    chroma = average(difference[..., 1:], 2) if pixels.subsampling == (2, 2) else difference[..., 1:]
    return jnp.concatenate([luma[..., None], jnp.mean(chroma**2, axis=(-3, -2))], axis=-1)


def _batches(loop: ClosedLoop, rng: np.random.Generator) -> Iterator[Batch]:
    """Crops of the samples at random places and times, without end."""
    pixels = loop.pixels
    chunks = []
    for sample in loop.samples:
        end = 0
        for chunk in loop.chunks(sample, _FRAMES):
            begin, end = end, end + len(chunk.analysed)
            source = sample.source[begin:end]
            chunks.append((chunk, source, _weights(source, sample.decoded[begin:end], pixels)))
    shares = np.array([len(source) for _, source, _ in chunks], float)
    while True:
        picked = rng.choice(len(chunks), size=_BATCH, p=shares / shares.sum())
        crops = [_crop(rng, *chunks[number], loop) for number in picked]
        yield Batch(*jax.tree.map(lambda *leaves: np.stack(leaves), *crops))


def _weights(source: list[Frame], decoded: list[Frame], pixels: PixelFormat) -> Float[np.ndarray, "n 3"]:
    """The weights of each frame's Y', Cb and Cr with which the decoded frames' loss is 1; 0 for missing frames."""
    rows = np.zeros((_FRAMES, 3), np.float32)
    for row, truth, frame in zip(rows, source, decoded):
        error = [
            np.mean(((a.astype(np.float32) - b) / span) ** 2)
            for a, b, span in zip(truth.planes, frame.planes, spans(pixels))
        ]
        error += [0.0] * (3 - len(error))
        row[:] = _IN_RGB / max(float(np.dot(_IN_RGB, error)), 1e-7)
    return rows / (_BATCH * len(source))


def _crop(
    rng: np.random.Generator, chunk: Chunk, source: list[Frame], weights: Float[np.ndarray, "n 3"], loop: ClosedLoop
) -> tuple[ChunkInputs, tuple[np.ndarray, ...], Float[np.ndarray, "n 3"]]:
    """A crop at a random place: its decoded frames, the source's planes and their weights in the loss."""
    shape = chunk.planes[0].shape[-2:]
    corner = tuple(_ALIGNMENT * int(rng.integers(0, max(side - _SIDE, 0) // _ALIGNMENT + 1)) for side in shape)
    size = tuple(min(_SIDE, side // _ALIGNMENT * _ALIGNMENT) for side in shape)
    missing = _FRAMES - len(source)
    truth = tuple(np.stack([*planes, *[planes[-1]] * missing]) for planes in zip(*(f.planes for f in source)))
    inputs = ChunkInputs(
        planes=_window(chunk.planes, corner, size, loop.pixels),
        valid=chunk.valid,
        error=None,
        velocity=_grid(chunk.velocity, corner, size),
        time=chunk.time,
        sigma=loop.plan.sigma_of(chunk.quantisers).astype(np.float32),
    )
    return inputs, _window(truth, corner, size, loop.pixels), weights


def _window(
    planes: tuple[np.ndarray, ...], corner: Sequence[int], size: Sequence[int], pixels: PixelFormat
) -> tuple[np.ndarray, ...]:
    """The planes of a crop; `corner` and `size` are in luma's pixels."""
    (y, x), (height, width) = corner, size
    cut = []
    for index, plane in enumerate(planes):
        v, h = chroma_scale(pixels) if pixels.kind == "yuv" and index in (1, 2) else (1, 1)
        cut.append(plane[..., y // v : (y + height) // v, x // h : (x + width) // h])
    return tuple(cut)


def _grid(velocity: np.ndarray, corner: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """The velocities of a crop."""
    top, left, height, width = (n // VELOCITY_GRID for n in (*corner, *size))
    return velocity[:, top : top + height, left : left + width]
