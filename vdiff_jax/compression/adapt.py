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

from vdiff_jax.compression.recipe import OCTAVE, Diffusion, Network, Recipe
from vdiff_jax.compression.rehearsal import Rehearsal
from vdiff_jax.compression.samples import Moments, Piece
from vdiff_jax.compression.update import changed, pack, rounded, size_of
from vdiff_jax.diffusion.rollout import rollout
from vdiff_jax.diffusion.step import start
from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.postprocess.spread import STEP
from vdiff_jax.preprocess.chunks import Chunk
from vdiff_jax.preprocess.coding import expected_error, typical
from vdiff_jax.preprocess.grids import average
from vdiff_jax.preprocess.planes import Planes, chroma_scale, clip_of_planes, sample_range
from vdiff_jax.tasks.projection import project
from vdiff_jax.tasks.video import Given, SameSize

log = logging.getLogger(__name__)

STEPS = {"none": 0, "fast": 120, "best": 800}
"""Gradient steps."""
FINENESS = (1, 3)
"""How finely an update is rounded: each is tried."""
_ATTACHED = 100
"""Bytes that Matroska needs to hold an attachment, about."""
_FRAMES, _SIDE, _BATCH = 6, 96, 4
_RATE = 0.03
_SHRINK = 0.3
"""By what share of Adam's longest step parameters are drawn to 0: those whose gradients don't agree stay there."""
_IN_RGB = np.array([3.0, 3.26, 2.48], np.float32)
"""The sums of squares of the columns of the matrix from Y'CbCr to R'G'B' (BT.601)."""


class Fit(NamedTuple):
    """What was fitted.

    Attributes:
      diffusion, network: for the recipe; None where there is nothing to do.
      gained: dB of PSNR, of Y', Cb and Cr, on the samples.
    """

    diffusion: Diffusion | None
    network: Network | None
    gained: Float[np.ndarray, "3"]

    @property
    def size(self) -> int:
        """Bytes of both in the attachment."""
        return len(Recipe(size=(0, 0), diffusion=self.diffusion, network=self.network).pack())


class Told(NamedTuple):
    """The error that the codec left in Y', Cb and Cr, in eighths of an octave.

    Attributes:
      absolute: over one 8-bit level.
      relative: over what the stream's quantisers let expect; the same as `absolute` where it tells none.
    """

    absolute: tuple[int, int, int]
    relative: tuple[int, int, int]


def measure(pieces: Sequence[Piece], pixels: PixelFormat, codec: str | None) -> Told:
    """The error of the samples; `codec` is that whose quantisers the stream tells, if any."""
    levels, expected = [], []
    for source, decoded in ((s, d) for piece in pieces for s, d in zip(piece.source, piece.decoded)):
        error = [np.sqrt(np.mean((a.astype(np.float32) - b) ** 2)) for a, b in zip(source.planes, decoded.planes)]
        levels.append(np.array(error + [0.0] * (3 - len(error))) / spans(pixels))
        if codec is not None:
            quantiser = typical(codec) if decoded.quantiser is None else decoded.quantiser
            expected.append(expected_error(codec, np.array([quantiser], np.float32))[0])
    absolute = np.mean(np.log2(255 * np.maximum(levels, 1e-4)), axis=0)
    relative = absolute - (np.mean(np.log2(255 * np.array(expected)), axis=0) if expected else 0)
    return Told(*(tuple(int(n) for n in np.clip(np.round(OCTAVE * part), -120, 120)) for part in (absolute, relative)))


def spans(pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """The samples of Y', Cb and Cr that span 1."""
    return np.array([sample_range(pixels, chroma=index > 0)[1] for index in range(3)])


def fit(rehearsal: Rehearsal, told: Told, named: Network | None, *, steps: int, seed: int, worth: "Worth") -> Fit:
    """The best of nothing, diffusion, diffusion with the network, and with its parameters fitted, as `worth` has it.

    Args:
      rehearsal: of the decoder.
      told: the error that the codec left.
      named: the weights, for the recipe; None leaves the network out.
      steps: of gradient descent.
      seed: of the crops.
      worth: what luma's dB and the attachment's bytes are worth.
    """
    offers = [Fit(None, None, np.zeros(3)), _fitted(told, None, rehearsal.without())]
    if named is not None:
        offers += _with_network(rehearsal, told, named, steps=steps, seed=seed)
    for offer in offers:
        log.debug("%d bytes gain %s dB, worth %.3f", offer.size, offer.gained.round(3), worth(offer))
    return max(offers, key=worth)


def _with_network(rehearsal: Rehearsal, told: Told, named: Network, *, steps: int, seed: int) -> list[Fit]:
    """As it is, and with its parameters fitted."""
    offers = [_fitted(told, named, rehearsal.moments())]
    update = descend(rehearsal, steps=steps, seed=seed) if steps else np.zeros(1)
    for fineness in FINENESS:
        rounding = rounded(update, fineness)
        if rounding.any():
            params = changed(rehearsal.network.params, jnp.asarray(rounding * 2.0**-fineness, jnp.float32))
            packed = dataclasses.replace(named, update=pack(rounding, fineness))
            offers.append(_fitted(told, packed, rehearsal.moments(params)))
    return offers


def _fitted(told: Told, network: Network | None, measured: Moments) -> Fit:
    """Diffusion with conductivities of least error, rounded; the network's, the last, is 0 without one."""
    best = measured.best(slice(None) if network else slice(None, -1))
    steps = np.round(STEP * np.clip(best, -4, 4))
    diffusion = Diffusion(error=told.absolute, steps=tuple(int(step) for step in steps.ravel()))
    return Fit(diffusion, network, measured.gained(steps / STEP))


class Worth(NamedTuple):
    """What dB and bytes are worth to a video.

    Attributes:
      octave: dB of luma's PSNR that twice the rate would bring.
      size: bytes of the track.
    """

    octave: float
    size: int

    def __call__(self, made: Fit) -> float:
        """Luma's dB that were gained, less those that the attachment's bytes would have brought in the track."""
        if made.diffusion is None:
            return 0.0
        return float(made.gained[0] - self.octave * np.log2(1 + (made.size + _ATTACHED) / self.size))


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
            end = at + len(chunk.prepared)
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
