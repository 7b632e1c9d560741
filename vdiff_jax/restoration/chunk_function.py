"""The restorer's pure function of a whole chunk, and its parts: planes in, planes out."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jaxtyping import Array, Bool, Float

from vdiff_jax.diffusion.rollout import Numbers, rollout_stream
from vdiff_jax.diffusion.step import Carry
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.planes import Planes
from vdiff_jax.tasks.projection import project
from vdiff_jax.tasks.video import ChunkInputs, NetworkConversion


def restore_planes(
    definition: nnx.GraphDef,
    conversion: NetworkConversion,
    multiple: int,
    rows: int,
    params: nnx.State,
    carry: Carry,
    inputs: ChunkInputs,
    active: Bool[Array, " n"],
) -> tuple[Carry, tuple[Planes, Bool[Array, " n"]]]:
    """Restores one chunk, planes in and planes out: preprocess, diffuse, postprocess. Pure.

    Args:
      definition: the network's graph definition.
      conversion: how the task reads and writes the video's planes.
      multiple: frames are padded to multiples of this.
      rows: the height of the network's windows, in rows of its finest level.
      params: the network's parameters.
      carry: the carry after the chunk before.
      inputs: the chunk and the frame after it.
      active: which frames to restore; the others do not change the carry, and their planes are 0.

    Returns:
      The carry after the chunk, its planes, and for each frame whether the network's result was finite. A frame whose
      result was not finite is returned unchanged.
    """
    network = nnx.merge(definition, params)

    return rollout_stream(
        network,
        partial(observe, conversion, multiple, inputs),
        inputs.velocity,
        carry,
        finish=partial(finish, conversion, multiple, inputs),
        active=active,
        project=project,
        rows=rows,
        skip_exact=True,
    )


def observe(conversion: NetworkConversion, multiple: int, inputs: ChunkInputs, numbers: Numbers) -> Observation:
    """The observation of a chunk's frames with these numbers, without their velocity."""
    return conversion.observe(_frames(inputs, numbers), multiple)


def finish(
    conversion: NetworkConversion,
    multiple: int,
    inputs: ChunkInputs,
    numbers: Numbers,
    result: Float[Array, "h w c"],
    finite: Bool[Array, ""],
) -> tuple[Planes, Bool[Array, ""]]:
    """A frame's planes, made from its result; the planes as they were read if the result is not finite.

    Args:
      conversion: how the task reads and writes the video's planes.
      multiple: frames are padded to multiples of this.
      inputs: the chunk and the frame after it.
      numbers: of the frame and of the others that it is converted with.
      result: the frame as the network restored it.
      finite: whether all of the result is finite.
    """
    frames = _frames(inputs, numbers)
    unmasked = dataclasses.replace(frames, error=None, valid=jnp.ones_like(frames.valid))
    result = lax.cond(finite, lambda: result, lambda: conversion.observe(unmasked, multiple).values[0])
    return tuple(plane[0] for plane in conversion.planes(frames, result[None])), finite


def _frames(inputs: ChunkInputs, numbers: Numbers) -> ChunkInputs:
    """The frames with these numbers, without their velocity."""

    def taken(leaf: Array) -> Array:
        return jnp.concatenate([lax.dynamic_index_in_dim(leaf, number) for number in numbers])

    return jax.tree.map(taken, dataclasses.replace(inputs, velocity=None))
