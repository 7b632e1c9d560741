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

from vdiff_jax.compression.closed_loop import Rehearsal
from vdiff_jax.compression.samples import spans
from vdiff_jax.compression.weight_update import changed, size_of
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import start
from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.grids import average
from vdiff_jax.preprocess.planes import Planes, chroma_scale, clip_of_planes
from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.tasks.projection import project
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.tasks.video import Given

log = logging.getLogger(__name__)

_FRAMES, _SIDE, _BATCH = 6, 96, 4


_RATE = 0.03


_SHRINK = 0.3
"""By what share of Adam's longest step parameters are drawn to 0: those whose gradients don't agree stay there."""


_IN_RGB = np.array([3.0, 3.26, 2.48], np.float32)
"""The sums of squares of the columns of the matrix from Y'CbCr to R'G'B' (BT.601)."""


class Batch(NamedTuple):
    """Crops: what is given of `b n1` frames, the truth of `b n`, and each frame's weight in the loss."""

    given: Given
    truth: Planes
    weight: Float[Array, "b n 3"]


def descend(rehearsal: Rehearsal, *, steps: int, seed: int) -> Float[np.ndarray, " n"]:
    """The update, in units, that Adam finds through the recurrence.

    The loss is the squared error in R'G'B' over that of the decoded picture, in the mean over frames.
    """
    network = rehearsal.network
    batches = _batches(rehearsal, np.random.default_rng(seed))
    first = next(batches)
    side = first.given.planes[0].shape[-2:]
    job = SameSize(rehearsal.pixels, side)
    loss = partial(_loss, network.definition, network.params, job, first.given.planes[0].shape[-3] - 1)
    schedule = optax.cosine_decay_schedule(_RATE, steps)
    rule = optax.adam(schedule)

    @jax.jit
    def step(update, state, batch, threshold):
        value, gradient = jax.value_and_grad(loss)(update, batch)
        change, state = rule.update(gradient, state)
        moved = optax.apply_updates(update, change)
        return jnp.sign(moved) * jnp.maximum(jnp.abs(moved) - threshold, 0), state, value

    update = jnp.zeros(size_of(network.params))
    state = rule.init(update)
    values = []
    for index in range(steps):
        update, state, value = step(update, state, next(batches), _SHRINK * schedule(index))
        values.append(float(value))
    log.debug("loss over the decoded picture's: %.4f at first, %.4f at last", *_ends(values))
    return np.asarray(update)


def _ends(values: list[float]) -> tuple[float, float]:
    share = max(1, len(values) // 5)
    return float(np.mean(values[:share])), float(np.mean(values[-share:]))


def _loss(
    definition: nnx.GraphDef, params: nnx.State, job: SameSize, frames: int, update: Array, batch: Batch
) -> Array:
    network = nnx.merge(definition, changed(params, update))
    multiple = network.config.multiple
    observation = jax.vmap(lambda given: job.observe(given, multiple))(batch.given)
    clip = jax.tree.map(lambda leaf: leaf[:, :frames], observation)
    following = jax.tree.map(lambda leaf: leaf[:, frames:], observation)
    clip = dataclasses.replace(clip, velocity=batch.given.velocity)
    carry = start(network.config, (clip.values.shape[0], *clip.values.shape[2:4]))
    _, result = rollout(network, clip, carry, following=following, project=project)
    pixels = job.written()[0]
    difference = result - clip_of_planes(batch.truth, pixels, multiple)
    return jnp.sum(batch.weight * _errors(difference, pixels))


def _errors(difference: Float[Array, "b n h w 3"], pixels: PixelFormat) -> Float[Array, "b n 3"]:
    """Mean squared errors; chroma's where it is stored, once for several pixels."""
    luma = jnp.mean(difference[..., 0] ** 2, axis=(-2, -1))
    chroma = average(difference[..., 1:], 2) if pixels.subsampling == (2, 2) else difference[..., 1:]
    return jnp.concatenate([luma[..., None], jnp.mean(chroma**2, axis=(-3, -2))], axis=-1)


def _batches(rehearsal: Rehearsal, rng: np.random.Generator) -> Iterator[Batch]:
    """Crops of the samples at random places and times."""
    pixels = rehearsal.pixels
    chosen = []
    for piece in rehearsal.pieces:
        at = 0
        for chunk in rehearsal.cut(piece, _FRAMES):
            end = at + len(chunk.analysed)
            chosen.append((chunk, piece.source[at:end], _weights(piece.source[at:end], piece.decoded[at:end], pixels)))
            at = end
    shares = np.array([len(source) for _, source, _ in chosen], float)
    while True:
        picked = rng.choice(len(chosen), size=_BATCH, p=shares / shares.sum())
        crops = [_crop(rng, *chosen[number], rehearsal, pixels) for number in picked]
        yield Batch(*jax.tree.map(lambda *leaves: np.stack(leaves), *crops))


def _weights(source: list[Frame], plain: list[Frame], pixels: PixelFormat) -> Float[np.ndarray, "n 3"]:
    """Of each frame's Y', Cb and Cr, so that the decoded picture's loss is 1; 0 for frames that are missing."""
    rows = np.zeros((_FRAMES, 3), np.float32)
    for row, truth, shown in zip(rows, source, plain):
        error = [
            np.mean(((a.astype(np.float32) - b) / span) ** 2)
            for a, b, span in zip(truth.planes, shown.planes, spans(pixels))
        ]
        error += [0.0] * (3 - len(error))
        row[:] = _IN_RGB / max(float(np.dot(_IN_RGB, error)), 1e-7)
    return rows / (_BATCH * len(source))


def _crop(
    rng: np.random.Generator,
    chunk: Chunk,
    source: list[Frame],
    weights: Float[np.ndarray, "n 3"],
    rehearsal: Rehearsal,
    pixels: PixelFormat,
) -> tuple:
    height, width = chunk.planes[0].shape[-2:]
    # On the grid of the coarsest level, of which the velocity's is a part.
    corner = tuple(8 * int(rng.integers(0, max(side - _SIDE, 0) // 8 + 1)) for side in (height, width))
    side = min(_SIDE, height // 8 * 8), min(_SIDE, width // 8 * 8)
    count = _FRAMES + 1 - len(source)
    truth = tuple(np.stack([*planes, *[planes[-1]] * (count - 1)]) for planes in zip(*(f.planes for f in source)))
    given = Given(
        planes=_window(chunk.planes, corner, side, pixels),
        valid=chunk.valid,
        error=None,
        velocity=_grid(chunk.velocity, corner, side),
        time=chunk.time,
        sigma=rehearsal.plan.sigma_of(chunk.quantisers).astype(np.float32),
    )
    return given, _window(truth, corner, side, pixels), weights


def _window(planes: Planes, corner: Sequence[int], side: Sequence[int], pixels: PixelFormat) -> Planes:
    (y, x), (height, width) = corner, side
    cut = []
    for index, plane in enumerate(planes):
        v, h = chroma_scale(pixels) if pixels.kind == "yuv" and index in (1, 2) else (1, 1)
        cut.append(plane[..., y // v : (y + height) // v, x // h : (x + width) // h])
    return tuple(cut)


def _grid(velocity: np.ndarray, corner: Sequence[int], side: Sequence[int]) -> np.ndarray:
    top, left, height, width = (n // VELOCITY_GRID for n in (*corner, *side))
    return velocity[:, top : top + height, left : left + width]
