"""The recurrent diffusion step of one frame: encode, advect, recur, diffuse."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vdiff_jax.diffusion.advect import advect, to_grid
from vdiff_jax.nn.network import Network, NetworkConfig, zeros_like_levels
from vdiff_jax.observation import Leaf, Observation, holds, luma_chroma
from vdiff_jax.preprocess.fill import fill
from vdiff_jax.preprocess.grids import average, shuffle, unshuffle

INPUTS = 52
"""Channels of the encoder's input on the half-size grid."""
FADE = 0.97
"""How much a guess that is handed on from frame to frame is trusted after each."""

Project = Callable[[Float[Array, "*b h w c"], Observation], Float[Array, "*b h w c"]]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class Carry:
    """What one frame hands to the next.

    Attributes:
      hidden: the hidden state, an array `*b hl wl cl` a level.
      result: `*b h w c`, the last result.
      trust: `*b h w 2`, how far the last result rests on samples that were measured, 0 to 1, for luma and chroma; 0
        after a cut.
      time: `*b`, the last frame's time in frame intervals.
    """

    hidden: list[Leaf]
    result: Leaf
    trust: Leaf
    time: Leaf


def start(config: NetworkConfig, shape: tuple[int, ...]) -> Carry:
    """The carry before a shot's first frame, for frames of `shape` = (*b, h, w)."""
    return Carry(
        hidden=zeros_like_levels(config, shape),
        result=jnp.full((*shape, 3), 0.5),
        trust=jnp.zeros((*shape, 2)),
        time=jnp.full(shape[:-2], -1.0),
    )


class Neighbour(NamedTuple):
    """Another frame moved to this one, and how far each sample of it is to be trusted."""

    values: Float[Array, "*b h w c"]
    trust: Float[Array, "*b h w 2"]


def step(network: Network, carry: Carry, frame: Observation, ahead: Observation, *, project: Project) -> Carry:
    """Takes the carry over one frame; the new carry's result is the frame's.

    Args:
      network: the network.
      carry: what the last frame handed on.
      frame: what is known of this frame (an Observation without the time axis).
      ahead: what is known of the next frame that holds something.
      project: brings a guess back to what was measured.
    """
    hidden, last = _move_carry(carry, frame.velocity)
    following = _move_ahead(ahead, frame.velocity)
    z = _initial(frame, last)
    following = Neighbour(_mix(following.values, z, following.trust), following.trust)
    features = network.encode(_inputs(carry, frame, ahead, last, following, z))
    hidden = network.recur(features, hidden)
    error = unshuffle(_expected_error(frame))
    neighbours = [unshuffle(n.values) for n in (last, following)]

    def diffuse(z: Float[Array, "*b h w c"], _: None) -> tuple[Float[Array, "*b h w c"], None]:
        u = unshuffle(z)
        correction = network.correct(u - 0.5, hidden, features)
        for gate, neighbour in zip((correction.last, correction.ahead), neighbours):
            u = u + gate.repeat(3, axis=-1) * (neighbour - u)
        return project(shuffle(u + error * correction.residual), frame), None

    z, _ = lax.scan(diffuse, z, length=network.config.steps)
    trust = jnp.maximum(luma_chroma(frame.known), FADE * last.trust)
    return Carry(hidden=hidden, result=z, trust=trust, time=frame.time)


def impose(z: Float[Array, "*b h w c"], frame: Observation) -> Float[Array, "*b h w c"]:
    """Where a sample is known without error, the result is that sample."""
    exact = frame.known * (frame.sigma == 0)
    return z + exact * (frame.values - z)


def _move_carry(carry: Carry, velocity: Array | None) -> tuple[list[Array], Neighbour]:
    # The result learns from its own frame's loss alone: its gradient is not followed back through time.
    result = lax.stop_gradient(jnp.concatenate([carry.result, carry.trust], axis=-1))
    if velocity is None:
        return carry.hidden, Neighbour(result[..., :3], result[..., 3:])
    backward = velocity[..., :2]
    hidden = [advect(h, to_grid(backward, 2 << level), nearest=True)[0] for level, h in enumerate(carry.hidden)]
    moved, inside = advect(result, to_grid(backward, 1))
    return hidden, Neighbour(moved[..., :3], moved[..., 3:] * inside)


def _move_ahead(ahead: Observation, velocity: Array | None) -> Neighbour:
    trust = luma_chroma(ahead.known)
    if velocity is None:
        return Neighbour(ahead.values, trust)
    moved, inside = advect(jnp.concatenate([ahead.values, trust], axis=-1), to_grid(velocity[..., 2:], 1), nearest=True)
    return Neighbour(moved[..., :3], moved[..., 3:] * inside)


def _mix(a: Array, b: Array, trust: Float[Array, "*b h w 2"]) -> Array:
    """The first image as far as it is trusted, elsewhere the second."""
    return b + _per_channel(trust) * (a - b)


def _per_channel(luma_and_chroma: Float[Array, "*b h w 2"]) -> Float[Array, "*b h w 3"]:
    return jnp.concatenate([luma_and_chroma, luma_and_chroma[..., 1:]], axis=-1)


def _initial(frame: Observation, last: Neighbour) -> Float[Array, "*b h w c"]:
    """z₀: what is known; elsewhere the moved last result; where there is none, the mean of the surroundings."""
    trusted = (last.trust > 0).astype(last.trust.dtype)
    guess = _mix(last.values, jnp.full_like(last.values, 0.5), trusted)
    z = frame.known * frame.values + (1 - frame.known) * guess
    support = jnp.maximum(frame.known, _per_channel(trusted))
    return lax.cond(jnp.all(support > 0), lambda: z, lambda: fill(z, support))


def _expected_error(frame: Observation) -> Float[Array, "*b h w c"]:
    """The unit of the correction: sigma where a sample is known, a pixel's usual contrast where it is not."""
    return jnp.sqrt(frame.known * frame.sigma**2 + (1 - frame.known) * 0.15**2) + 0.005


def _inputs(carry, frame, ahead, last, following, z) -> Float[Array, "*b h2 w2 i"]:
    half = average(jnp.concatenate([10 * luma_chroma(frame.sigma), last.trust, following.trust], axis=-1))
    # The distances in time are 0 where there is no neighbour.
    distance = jnp.stack(
        [
            jnp.clip(frame.time - carry.time, 0, 8) * (jnp.max(last.trust, axis=(-3, -2, -1)) > 0),
            jnp.clip(ahead.time - frame.time, 0, 8) * (holds(ahead.known) > 0),
        ],
        axis=-1,
    )
    distance = jnp.broadcast_to(distance[..., None, None, :], (*half.shape[:-1], 2)).astype(half.dtype)
    images = [unshuffle(image - 0.5) for image in (z, last.values, following.values)]
    return jnp.concatenate([*images, unshuffle(luma_chroma(frame.known)), half, distance], axis=-1)
