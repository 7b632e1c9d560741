"""Fits the network to one video: the errors it is told, how much of its change is taken, a few of its parameters."""

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

from vdiff_jax.compress.job import Blend
from vdiff_jax.compress.recipe import OCTAVE, ONE, Network
from vdiff_jax.compress.rehearsal import Rehearsal
from vdiff_jax.compress.samples import Moments, Piece
from vdiff_jax.compress.update import changed, pack, rounded, size_of
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import start
from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.preprocess.chunks import Chunk
from vdiff_jax.preprocess.coding import expected_error, typical
from vdiff_jax.preprocess.grids import average
from vdiff_jax.preprocess.planes import Planes, chroma_scale, clip_of_planes, sample_range
from vdiff_jax.tasks.projection import project
from vdiff_jax.tasks.video import Given

log = logging.getLogger(__name__)

STEPS = {"none": 0, "fast": 120, "best": 800}
"""Gradient steps."""
FINENESS = (1, 2, 3, 4)
"""How finely an update is rounded: each is tried."""
_FRAMES, _SIDE, _BATCH = 6, 96, 4
_RATE = 0.03
_IN_RGB = np.array([3.0, 3.26, 2.48], np.float32)
"""The sums of squares of the columns of the matrix from Y'CbCr to R'G'B' (BT.601)."""


class Fit(NamedTuple):
    """What was fitted.

    Attributes:
      network: for the recipe.
      moments: on the samples, with it.
      gained: dB of PSNR, of Y', Cb and Cr.
    """

    network: Network
    moments: Moments
    gained: Float[np.ndarray, "3"]


def octaves(pieces: Sequence[Piece], pixels: PixelFormat, codec: str | None) -> tuple[int, int, int]:
    """The error that the codec left, over what its quantisers let expect, in eighths of an octave."""
    ratios = []
    for source, decoded in ((s, d) for piece in pieces for s, d in zip(piece.source, piece.decoded)):
        error = [np.sqrt(np.mean((a.astype(np.float32) - b) ** 2)) for a, b in zip(source.planes, decoded.planes)]
        levels = np.array(error + [0.0] * (3 - len(error))) / spans(pixels)
        told = np.full(3, 1 / 255)
        if codec is not None:
            quantiser = typical(codec) if decoded.quantiser is None else decoded.quantiser
            told = expected_error(codec, np.array([quantiser], np.float32))[0]
        ratios.append(np.log2(np.maximum(levels, 1e-4) / told))
    return tuple(int(np.clip(np.round(OCTAVE * ratio), -64, 64)) for ratio in np.mean(ratios, axis=0))


def spans(pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """The samples of Y', Cb and Cr that span 1."""
    return np.array([sample_range(pixels, chroma=index > 0)[1] for index in range(3)])


def fit(rehearsal: Rehearsal, named: Network, *, steps: int, seed: int, worth: "Worth") -> Fit:
    """The best of the network as it is and with its parameters fitted, as `worth` has it.

    Args:
      rehearsal: of the decoder.
      named: weights and errors, for the recipe.
      steps: of gradient descent.
      seed: of the crops.
      worth: what luma's dB and the attachment's bytes are worth.
    """
    best = _with_gains(named, b"", rehearsal.moments())
    log.debug("the network as it is: %s dB, gains %s", best.gained.round(3), best.network.gains)
    if steps == 0:
        return best
    update = descend(rehearsal, steps=steps, seed=seed)
    for fineness in FINENESS:
        rounding = rounded(update, fineness)
        packed = pack(rounding, fineness)
        params = changed(rehearsal.network.params, jnp.asarray(rounding * 2.0**-fineness, jnp.float32))
        tried = _with_gains(named, packed, rehearsal.moments(params))
        log.debug("%d bytes of update: %s dB, gains %s", len(packed), tried.gained.round(3), tried.network.gains)
        if worth(tried.gained[0], len(packed)) > worth(best.gained[0], len(best.network.update)):
            best = tried
    return best


class Worth(NamedTuple):
    """What dB and bytes are worth to a video.

    Attributes:
      octave: dB of luma's PSNR that twice the rate would bring.
      size: bytes of the track.
    """

    octave: float
    size: int

    def __call__(self, gained: float, spent: int) -> float:
        """The dB gained less those that the bytes would have brought in the track."""
        return float(gained - self.octave * np.log2(1 + spent / self.size))


def _with_gains(named: Network, update: bytes, measured: Moments) -> Fit:
    gains = np.round(ONE * measured.gains())
    network = dataclasses.replace(named, update=update, gains=tuple(int(gain) for gain in gains))
    return Fit(network, measured, measured.gained(gains / ONE))


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
    job = dataclasses.replace(
        rehearsal.plan.job, inner=dataclasses.replace(rehearsal.plan.job.inner, size=side), target=side
    )
    loss = partial(_loss, network.definition, network.params, job, first.given.planes[0].shape[-3] - 1)
    rule = optax.adam(optax.cosine_decay_schedule(_RATE, steps))

    @jax.jit
    def step(update, state, batch):
        value, gradient = jax.value_and_grad(loss)(update, batch)
        change, state = rule.update(gradient, state)
        return optax.apply_updates(update, change), state, value

    update = jnp.zeros(size_of(network.params))
    state = rule.init(update)
    values = []
    for _ in range(steps):
        update, state, value = step(update, state, next(batches))
        values.append(float(value))
    log.debug("loss over the decoded picture's: %.4f at first, %.4f at last", *_ends(values))
    return np.asarray(update)


def _ends(values: list[float]) -> tuple[float, float]:
    share = max(1, len(values) // 5)
    return float(np.mean(values[:share])), float(np.mean(values[-share:]))


def _loss(definition: nnx.GraphDef, params: nnx.State, job: Blend, frames: int, update: Array, batch: Batch) -> Array:
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
    pixels = rehearsal.plan.job.written()[0]
    chosen = []
    for piece, plain in zip(rehearsal.pieces, rehearsal.plain):
        at = 0
        for chunk in rehearsal.cut(piece, _FRAMES):
            end = at + len(chunk.prepared)
            chosen.append((chunk, piece.source[at:end], _weights(piece.source[at:end], plain[at:end], pixels)))
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
    scale = rehearsal.plan.job.scale
    small = _SIDE // scale
    height, width = chunk.planes[0].shape[-2:]
    # On the grid of the coarsest level, of which the velocity's is a part.
    y, x = (8 // scale * int(rng.integers(0, max(side - small, 0) // (8 // scale) + 1)) for side in (height, width))
    side = min(small, height // 8 * 8), min(small, width // 8 * 8)
    count = _FRAMES + 1 - len(source)
    truth = tuple(np.stack([*planes, *[planes[-1]] * (count - 1)]) for planes in zip(*(f.planes for f in source)))
    given = Given(
        planes=_window(chunk.planes, (y, x), side, pixels),
        valid=chunk.valid,
        mask=None,
        colours=None,
        velocity=_grid(chunk.velocity, (y, x), side, scale),
        time=chunk.time,
        sigma=rehearsal.plan.sigma_of(chunk.quantisers).astype(np.float32),
    )
    scaled = [scale * n for n in (y, x)], [scale * n for n in side]
    return given, _window(truth, *scaled, pixels), weights


def _window(planes: Planes, corner: Sequence[int], side: Sequence[int], pixels: PixelFormat) -> Planes:
    (y, x), (height, width) = corner, side
    cut = []
    for index, plane in enumerate(planes):
        v, h = chroma_scale(pixels) if pixels.kind == "yuv" and index in (1, 2) else (1, 1)
        cut.append(plane[..., y // v : (y + height) // v, x // h : (x + width) // h])
    return tuple(cut)


def _grid(velocity: np.ndarray, corner: Sequence[int], side: Sequence[int], scale: int) -> np.ndarray:
    top, left, height, width = (scale * n // VELOCITY_GRID for n in (*corner, *side))
    return velocity[:, top : top + height, left : left + width]
