"""The recurrent diffusion step of one frame: encode, advect, recur, diffuse."""

import dataclasses
import functools
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from vdiff_jax.diffusion.advect import advect, advect_unshuffled, to_grid
from vdiff_jax.diffusion.windowed import windowed
from vdiff_jax.nn.network import Correction, Network, NetworkConfig, zeros_like_levels
from vdiff_jax.observation import Leaf, Observation, holds
from vdiff_jax.preprocess.grids import pairs_to_channels, shuffle, unshuffle
from vdiff_jax.preprocess.push_pull import fill

FADE = 0.97
"""The factor by which confidence in samples that were not measured falls from each frame to the next."""


def input_channels(config: NetworkConfig) -> int:
    """The channels of the encoder's input."""
    return 11 * config.cell**2 + 8


Project = Callable[[Float[Array, "*b h w c"], Observation], Float[Array, "*b h w c"]]
"""A function from a result and its frame's observation to the nearest result that agrees with the observation."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Carry:
    """The state that the recurrence carries from frame to frame.

    Attributes:
      hidden: the hidden state, an array `*b hl wl cl` for each level.
      result: `*b h w c`, the previous frame's result.
      confidence: `*b h w 2`, in the result's luma and chroma: 1 where it was measured in that frame, less with each
        frame since it was measured; 0 at the start of a shot.
      time: `*b`, the previous frame's time in frame intervals.
    """

    hidden: list[Leaf]
    result: Leaf
    confidence: Leaf
    time: Leaf


def start(config: NetworkConfig, shape: tuple[int, ...]) -> Carry:
    """The carry at the start of a shot, for frames of `shape` = (*b, h, w)."""
    return Carry(
        hidden=zeros_like_levels(config, shape),
        result=jnp.full((*shape, 3), 0.5),
        confidence=jnp.zeros((*shape, 2)),
        time=jnp.full(shape[:-2], -1.0),
    )


class Neighbour(NamedTuple):
    """Another frame moved to this one, unshuffled, and the confidence in it for luma and for chroma, 0 to 1."""

    values: Float[Array, "*b hb wb c"]
    confidence: Float[Array, "*b hb wb p"]


def step(
    network: Network,
    carry: Carry,
    frame: Observation,
    ahead: Observation,
    *,
    project: Project,
    rows: int | None = None,
    skip_exact: bool = False,
) -> Carry:
    """Restores one frame. `rollout` and `rollout_stream` call it.

    All of it works on the finest level of the network, with each block of pixels as channels.

    Args:
      network: the network.
      carry: the carry after the previous frame.
      frame: what is known of this frame (an Observation without the time axis).
      ahead: what is known of the next frame with content; `sigma`, `velocity` and `reduction` unused.
      project: projects a result onto what was measured.
      rows: the height of the windows that the network runs in, in rows of the finest level, to bound memory; `None`:
        the whole frame at once.
      skip_exact: returns a frame that is known without error unchanged, without V-cycles.

    Returns:
      The new carry; its `result` is the restored frame.
    """
    cell = network.config.cell
    given, distance = prepare(carry, frame, ahead, network.config)
    in_windows = partial(windowed, rows=rows, halo=network.config.halo)

    def encode_and_recur(given: Given) -> tuple[list[Array], list[Array]]:
        features = network.encode(encoder_input(given, distance))
        return features, network.recur(features, given.hidden)

    features, hidden = in_windows(encode_and_recur, given)

    def diffuse() -> Float[Array, "*b h w c"]:
        z = shuffle(given.guess, cell)
        for _ in range(network.config.steps):
            guess = unshuffle(z, cell)
            correction = in_windows(network.correct, guess - 0.5, hidden, features)
            z = project(shuffle(corrected(guess, correction, given), cell), frame)
        return z

    z = lax.cond(is_exact(frame), lambda: project(frame.values, frame), diffuse) if skip_exact else diffuse()
    return Carry(hidden=hidden, result=z, confidence=shuffle(given.confidence, cell), time=frame.time)


class Given(NamedTuple):
    """What the network is given for a frame, on its finest level.

    Attributes:
      guess: the frame before any V-cycle, in which unknown samples are guesses.
      known, sigma: as in the frame's Observation.
      previous: the previous result.
      following: the next frame.
      confidence: in this frame's result, for luma and for chroma.
      hidden: the hidden state moved to this frame, an array for each level.
    """

    guess: Float[Array, "*b hb wb c"]
    known: Float[Array, "*b hb wb c"]
    sigma: Float[Array, "*b hb wb c"]
    previous: Neighbour
    following: Neighbour
    confidence: Float[Array, "*b hb wb p"]
    hidden: list[Leaf]


def prepare(
    carry: Carry, frame: Observation, ahead: Observation, config: NetworkConfig
) -> tuple[Given, Float[Array, "*b 2"]]:
    """What comes before the network in a frame's step; the first arguments are those of `step`.

    Args:
      carry, frame, ahead: as in `step`.
      config: the network's.

    Returns:
      What the network is given; and the time since the previous frame and until the next.
    """
    cell = config.cell
    values, known, sigma = (unshuffle(leaf, cell) for leaf in (frame.values, frame.known, frame.sigma))
    hidden, previous = _move_carry(carry, frame.velocity, cell)
    following = _move_ahead(ahead, frame.velocity, holds(frame.known), config)
    guess, confidence = _first_guess(values, known, previous, cell)
    following = following._replace(values=_blend(guess, following.values, following.confidence))
    return Given(guess, known, sigma, previous, following, confidence, hidden), _distance(carry, frame, ahead, previous)


def encoder_input(given: Given, distance: Float[Array, "*b 2"]) -> Float[Array, "*b hb wb i"]:
    """The encoder's input, from what `prepare` returns."""
    distance = jnp.broadcast_to(distance[..., None, None, :], (*given.guess.shape[:-1], 2)).astype(given.guess.dtype)
    images = [image - 0.5 for image in (given.guess, given.previous.values, given.following.values)]
    confidences = (given.previous.confidence, given.following.confidence)
    mean = _mean_pair(confidences[0].shape[-1])
    sigma = 10 * given.sigma @ (_channels_to_pairs(given.sigma.shape[-1]) @ mean)
    means = [sigma, *(confidence @ mean for confidence in confidences)]
    return jnp.concatenate([*images, _pairs(given.known), *means, distance], axis=-1)


def corrected(guess: Float[Array, "*b hb wb c"], correction: Correction, given: Given) -> Float[Array, "*b hb wb c"]:
    """The guess after a V-cycle, before the projection."""
    error = _expected_error(given.known, given.sigma)
    gates = (correction.around, correction.previous, correction.ahead)
    for gate, values in zip(gates, (correction.mean + 0.5, given.previous.values, given.following.values)):
        guess = _blend(guess, values, gate)
    return guess + error * correction.residual


def is_exact(frame: Observation) -> Bool[Array, ""]:
    """Whether the whole frame is known without error."""
    return jnp.all((frame.known == 1) & (frame.sigma == 0))


@functools.cache
def _mean_pair(channels: int) -> Float[np.ndarray, "p 2"]:
    """The matrix from (luma, chroma) of each pixel of a block to their means."""
    return np.tile(np.eye(2, dtype=np.float32), (channels // 2, 1)) / (channels // 2)


@functools.cache
def _channels_to_pairs(channels: int) -> Float[np.ndarray, "c p"]:
    return np.kron(np.eye(channels // 3, dtype=np.float32), np.array([[1, 0], [0, 1], [0, 0]], np.float32))


def _pairs(image: Float[Array, "*b hb wb c"]) -> Float[Array, "*b hb wb p"]:
    """The luma and the first chroma channel of each pixel of an unshuffled image."""
    return image @ _channels_to_pairs(image.shape[-1])


def impose(z: Float[Array, "*b h w c"], frame: Observation) -> Float[Array, "*b h w c"]:
    """The result with every sample that is known without error put back."""
    exact = frame.known * (frame.sigma == 0)
    return z + exact * (frame.values - z)


def _move_carry(carry: Carry, velocity: Array | None, cell: int) -> tuple[list[Array], Neighbour]:
    # Through time, gradients flow in the hidden state only: a result is trained by its own frame's loss.
    result, confidence = lax.stop_gradient((carry.result, carry.confidence))
    if velocity is None:
        return carry.hidden, Neighbour(unshuffle(result, cell), unshuffle(confidence, cell))
    backward = velocity[..., :2]
    hidden = [advect(h, to_grid(backward, cell << level))[0] for level, h in enumerate(carry.hidden)]
    places = to_grid(backward, cell) * cell
    moved, inside = advect_unshuffled(result, places)
    return hidden, Neighbour(moved, advect_unshuffled(confidence, places, nearest=True)[0] * inside)


def _move_ahead(
    ahead: Observation, velocity: Array | None, held: Float[Array, "*b"], config: NetworkConfig
) -> Neighbour:
    """The next frame moved to this one; it has content where `held` is 1."""
    cell = config.cell
    if velocity is None:
        return Neighbour(unshuffle(ahead.values, cell), _pairs(unshuffle(ahead.known, cell)))
    places = to_grid(velocity[..., 2:], cell) * cell
    known, _ = advect_unshuffled(ahead.known, places, nearest=True)

    def moved(nearest: bool) -> tuple[Array, Array]:
        return advect_unshuffled(ahead.values, places, nearest=nearest)

    if config.bilinear:
        values, inside = moved(False)
        return Neighbour(values, _pairs(known) * inside)
    nearest, inside = moved(True)

    def interpolated() -> Array:
        # A frame to interpolate has clean neighbours: fractions of a pixel count.
        return jnp.where(held[..., None, None, None] > 0, nearest, moved(False)[0])

    return Neighbour(lax.cond(jnp.all(held > 0), lambda: nearest, interpolated), _pairs(known) * inside)


def _blend(a: Array, b: Array, weight: Float[Array, "*b hb wb p"]) -> Array:
    """Linear interpolation from a (weight 0) to b (weight 1), with a weight for luma and one for chroma."""
    return a + (weight @ pairs_to_channels(weight.shape[-1])) * (b - a)


def _first_guess(values: Array, known: Array, previous: Neighbour, cell: int) -> tuple[Array, Array]:
    """The frame before any V-cycle, and the confidence in its result.

    A known sample is taken as it is. An unknown one is taken from the previous result, moved to this frame; where there
    is none, from the mean of the surroundings.
    """

    def with_holes() -> tuple[Array, Array]:
        pairs = (previous.confidence > 0).astype(previous.confidence.dtype)
        carried = pairs @ pairs_to_channels(pairs.shape[-1])
        guess = 0.5 + carried * (previous.values - 0.5)
        u = known * values + (1 - known) * guess
        support = jnp.maximum(known, carried)
        u = lax.cond(
            jnp.all(support > 0), lambda: u, lambda: unshuffle(fill(shuffle(u, cell), shuffle(support, cell)), cell)
        )
        return u, jnp.maximum(_pairs(known), FADE * previous.confidence)

    return lax.cond(jnp.all(known == 1), lambda: (values, jnp.ones_like(previous.confidence)), with_holes)


def _expected_error(known: Array, sigma: Array) -> Float[Array, "*b hb wb c"]:
    """The unit of the correction: sigma where a sample is known, the typical contrast of a picture where it is not."""
    return jnp.sqrt(known * sigma**2 + (1 - known) * 0.15**2) + 0.005


def _distance(carry: Carry, frame: Observation, ahead: Observation, previous: Neighbour) -> Float[Array, "*b 2"]:
    """The time since the previous frame and until the next, at most 8 frame intervals; 0 where there is none."""
    return jnp.stack(
        [
            jnp.clip(frame.time - carry.time, 0, 8) * (jnp.max(previous.confidence, axis=(-3, -2, -1)) > 0),
            jnp.clip(ahead.time - frame.time, 0, 8) * (holds(ahead.known) > 0),
        ],
        axis=-1,
    )
