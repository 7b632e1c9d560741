"""The recurrence over a clip: the one scan over frames that training and inference share."""

import dataclasses

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vdiff_jax.diffusion.step import Carry, Project, impose, step
from vdiff_jax.nn.network import Network
from vdiff_jax.observation import Observation, holds


def rollout(
    network: Network,
    observation: Observation,
    carry: Carry,
    *,
    following: Observation | None = None,
    project: Project = impose,
    unroll: int | None = None,
    remat: bool = False,
    rows: int | None = None,
    skip_exact: bool = False,
) -> tuple[Carry, Float[Array, "*b t h w c"]]:
    """Restores a clip frame by frame.

    A clip cut into chunks gives the same frames as one cut into none, if each chunk is given the carry of the one
    before and `following`, the frame after its last.

    Args:
      network: the network.
      observation: what is known of the clip.
      carry: what the frame before handed on; `step.start` at the start of a shot.
      following: what is known of the one frame after the clip (t = 1); nothing by default.
      project: brings a guess back to what was measured.
      unroll: frames after which gradients are not followed further back (truncated back-propagation through time).
      skip_exact: as in `step`; saves time where few samples are missing, and costs some where gradients are taken.
      remat: computes each frame again in the backward pass instead of keeping its activations.
      rows: of the half-size grid that the network sees at once, which bounds memory on large frames; `None`: all.

    Returns:
      The carry after the last frame that holds something, and the restored clip.
    """

    def body(carry: Carry, frames: tuple[Observation, Observation, Array]) -> tuple[Carry, Array]:
        frame, ahead, detached = frames
        if unroll is not None:
            carry = jax.tree.map(lambda leaf: jnp.where(detached, lax.stop_gradient(leaf), leaf), carry)
        new = step(network, carry, frame, ahead, project=project, rows=rows, skip_exact=skip_exact)
        return _advance(carry, new, holds(frame.known)), new.result

    frames = (observation, look_ahead(observation, following))
    frames = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, _time_axis(observation), 0), frames)
    index = jnp.arange(observation.time.shape[-1])
    detached = index % (unroll or index.size) == 0
    carry, clip = lax.scan(jax.checkpoint(body) if remat else body, carry, (*frames, detached))
    return carry, jnp.moveaxis(clip, 0, _time_axis(observation))


def look_ahead(observation: Observation, following: Observation | None = None) -> Observation:
    """For each frame, values, known and time of the next frame that holds something; known = 0 where there is none."""
    axis = _time_axis(observation)
    last = jax.tree.map(lambda leaf: jnp.zeros_like(jnp.take(leaf, 0, axis=axis)), _seen(observation))
    if following is not None:
        if observation.time.shape[-1] == 1:
            return _seen(following)
        last = jax.tree.map(lambda leaf: jnp.take(leaf, 0, axis=axis), _seen(following))
    frames = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, axis, 0), _seen(observation))
    held = holds(frames.known)

    def next_ones() -> Observation:
        return jax.tree.map(lambda leaf, end: jnp.concatenate([leaf[1:], end[None]]), frames, last)

    def next_that_hold() -> Observation:
        def body(ahead: Observation, frame: Observation) -> tuple[Observation, Observation]:
            return _advance(ahead, frame, holds(frame.known)), ahead

        return lax.scan(body, last, frames, reverse=True)[1]

    ahead = lax.cond(jnp.all(held > 0), next_ones, next_that_hold)
    return jax.tree.map(lambda leaf: jnp.moveaxis(leaf, 0, axis), ahead)


def _seen(observation: Observation) -> Observation:
    return dataclasses.replace(observation, sigma=None, velocity=None, reduction=None)


def _time_axis(observation: Observation) -> int:
    return observation.time.ndim - 1


def _advance(old, new, held: Float[Array, "*b"]):
    """The new state for examples whose frame holds something, the old one for the others."""

    def chosen():
        return jax.tree.map(
            lambda o, n: jnp.where(held.reshape(held.shape + (1,) * (n.ndim - held.ndim)) > 0, n, o), old, new
        )

    return lax.cond(jnp.all(held > 0), lambda: new, chosen)
