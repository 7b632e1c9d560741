"""The recurrence over a clip: `rollout` for clips in memory, `rollout_stream` for frames observed one at a time."""

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from vdiff_jax.diffusion.step import Carry, Project, impose, start, step
from vdiff_jax.nn.network import Network, NetworkConfig
from vdiff_jax.observation import Observation, holds

Output = TypeVar("Output")
Numbers = tuple[Int[Array, ""], ...]
"""The numbers of some frames."""


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
    """Restores a clip frame by frame. Training and evaluation call it.

    A clip cut into chunks gives the same frames as the whole clip, if each chunk is given the carry of the chunk before
    it and, as `following`, the frame after its last.

    Args:
      network: the network.
      observation: what is known of the clip.
      carry: the carry after the frame before; `step.start` at the start of a shot.
      following: what is known of the one frame after the clip (t = 1); `None`: nothing.
      project: as in `step`.
      unroll: the number of frames after which gradients are cut (truncated back-propagation through time); `None`:
        never.
      remat: computes each frame's activations again in the backward pass instead of keeping them.
      rows: as in `step`.
      skip_exact: as in `step`; slows the backward pass down.

    Returns:
      The carry after the last frame with content, and the restored clip.
    """

    def body(carry: Carry, frames: tuple[Observation, Observation, Array]) -> tuple[Carry, Array]:
        frame, ahead, cut = frames
        if unroll is not None:
            carry = jax.tree.map(lambda leaf: jnp.where(cut, lax.stop_gradient(leaf), leaf), carry)
        return _advance(network, carry, frame, ahead, project=project, rows=rows, skip_exact=skip_exact)

    axis = _time_axis(observation)
    frames = (observation, look_ahead(observation, following))
    frames = jax.tree.map(lambda leaf: jnp.moveaxis(leaf, axis, 0), frames)
    index = jnp.arange(observation.time.shape[-1])
    cut = index % (unroll or index.size) == 0
    carry, clip = lax.scan(jax.checkpoint(body) if remat else body, carry, (*frames, cut))
    return carry, jnp.moveaxis(clip, 0, axis)


def rollout_stream(
    network: Network,
    observe: Callable[[Numbers], Observation],
    velocity: Float[Array, "t hv wv 4"],
    carry: Carry,
    *,
    finish: Callable[[Numbers, Float[Array, "h w c"], Bool[Array, ""]], Output],
    active: Bool[Array, " t"],
    project: Project = impose,
    rows: int | None = None,
    skip_exact: bool = False,
) -> tuple[Carry, Output]:
    """`rollout` over frames that are observed one at a time. The restorer of whole videos calls it.

    Only one frame and its look-ahead are in memory as an Observation, whatever the length of the chunk.

    Args:
      network: the network.
      observe: a function from frames' numbers, 0 to t, to the observation of these frames without a velocity; frame t
        is the one after the chunk.
      velocity: as in Observation, of frames 0 to t - 1.
      carry: the carry after the frame before; `step.start` at the start of a shot.
      finish: a function of the numbers of a frame and its look-ahead, of the frame's result, and of whether that is
        finite. It returns the frame's output. After a result that is not finite, the carry is reset.
      active: which frames to restore; the others leave the carry as it is, cost no time and give zeros.
      project: as in `step`.
      rows: as in `step`.
      skip_exact: as in `step`.

    Returns:
      The carry after the last frame with content, and what `finish` made of each frame, stacked.
    """
    numbers = jnp.arange(velocity.shape[0])

    def restore(carry: Carry, number: Array, number_ahead: Array, velocity: Array) -> tuple[Carry, Output]:
        frame, ahead = frame_and_ahead(observe, (number, number_ahead), velocity)
        carry, result = _advance(network, carry, frame, ahead, project=project, rows=rows, skip_exact=skip_exact)
        carry, finite = anew_if_not_finite(network.config, carry, result)
        return carry, finish((number, number_ahead), result, finite)

    shapes = jax.eval_shape(restore, carry, numbers[0], numbers[0], velocity[0])[1]
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def body(carry: Carry, frame: tuple[Array, ...]) -> tuple[Carry, Output]:
        active, *rest = frame
        return lax.cond(active, lambda: restore(carry, *rest), lambda: (carry, zeros))

    return lax.scan(body, carry, (active, numbers, numbers_ahead(observe, velocity.shape[0]), velocity))


def numbers_ahead(observe: Callable[[Numbers], Observation], count: int) -> Int[Array, " t"]:
    """For each of `count` frames the number of its look-ahead, the next frame with content."""
    return next_held(lax.map(lambda n: holds(observe((n,)).known[0]), jnp.arange(count + 1)))


def frame_and_ahead(
    observe: Callable[[Numbers], Observation], numbers: Numbers, velocity: Float[Array, "hv wv 4"]
) -> tuple[Observation, Observation]:
    """The observations of a frame and of its look-ahead, as `step` takes them."""
    observed = observe(numbers)
    frame, ahead = (jax.tree.map(lambda leaf, n=n: leaf[n], observed) for n in range(2))
    return dataclasses.replace(frame, velocity=velocity), _without_error(ahead)


def unchanged_if_empty(old: Carry, new: Carry, frame: Observation) -> Carry:
    """The carry after a frame: the new one, or the old one where nothing of the frame is known."""
    held = holds(frame.known)

    def chosen() -> Carry:
        return jax.tree.map(
            lambda o, n: jnp.where(held.reshape(held.shape + (1,) * (n.ndim - held.ndim)) > 0, n, o), old, new
        )

    return lax.cond(jnp.all(held > 0), lambda: new, chosen)


def anew_if_not_finite(
    config: NetworkConfig, carry: Carry, result: Float[Array, "h w c"]
) -> tuple[Carry, Bool[Array, ""]]:
    """The carry, or the one at the start of a shot if the result is not finite; and whether it is finite."""
    finite = jnp.isfinite(result.sum())
    return lax.cond(finite, lambda: carry, lambda: start(config, result.shape[:-1])), finite


def next_held(held: Float[Array, "*b t1"]) -> Int[Array, "*b t"]:
    """For each frame but the last, the number of the next frame with content.

    Args:
      held: from `observation.holds`, for frames 0 to t: 1 for a frame with content.

    Returns:
      Numbers in 1 to t; t where no later frame has content.
    """
    last = held.shape[-1] - 1
    numbers = jnp.where(held > 0, jnp.arange(last + 1).reshape((1,) * (held.ndim - 1) + (-1,)), last)
    return lax.cummin(numbers, axis=held.ndim - 1, reverse=True)[..., 1:]


def look_ahead(observation: Observation, following: Observation | None = None) -> Observation:
    """Each frame's look-ahead: values, known and time of the next frame with content.

    Args:
      observation: what is known of the clip.
      following: what is known of the one frame after the clip (t = 1); `None`: nothing.
    """
    axis = _time_axis(observation)
    clip = _without_error(observation)
    if following is None:
        last = jax.tree.map(lambda leaf: jnp.zeros_like(lax.slice_in_dim(leaf, 0, 1, axis=axis)), clip)
    else:
        last = _without_error(following)
    frames = jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=axis), clip, last)
    numbers = next_held(holds(frames.known))

    def gathered(leaf: Array) -> Array:
        index = numbers.reshape(numbers.shape + (1,) * (leaf.ndim - numbers.ndim))
        return jnp.take_along_axis(leaf, index, axis=axis, mode="promise_in_bounds")

    return jax.tree.map(gathered, frames)


def _advance(
    network: Network, carry: Carry, frame: Observation, ahead: Observation, **options
) -> tuple[Carry, Float[Array, "*b h w c"]]:
    """One frame's step: its result, and the new carry, which is the old one where the frame is empty."""
    new = step(network, carry, frame, ahead, **options)
    return unchanged_if_empty(carry, new, frame), new.result


def _without_error(observation: Observation) -> Observation:
    """The parts of an observation that `step` reads of its look-ahead; sigma is not one of them."""
    return dataclasses.replace(observation, sigma=None, velocity=None, reduction=None)


def _time_axis(observation: Observation) -> int:
    return observation.time.ndim - 1
