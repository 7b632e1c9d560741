"""Restores a chunk frame by frame: the network in ONNX Runtime, everything else in compiled JAX functions."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from vdiff_jax.diffusion.rollout import frame_and_ahead, numbers_ahead
from vdiff_jax.diffusion.step import Carry, Given, corrected, encoder_input, is_exact, prepare, start
from vdiff_jax.exporting.runtime import onnx_runtime
from vdiff_jax.nn.network import Correction, NetworkConfig
from vdiff_jax.observation import Observation, holds
from vdiff_jax.preprocess.grids import shuffle
from vdiff_jax.preprocess.planes import Planes
from vdiff_jax.restoration.chunk_function import finish, observe
from vdiff_jax.restoration.compiled import compiled
from vdiff_jax.tasks.projection import project
from vdiff_jax.tasks.video import ChunkInputs, NetworkConversion
from vdiff_jax.weights import Weights


class FrameByFrame:
    """Restores chunks as `InWindows` does with `restore_planes`, to within rounding errors.

    Args:
      network: trained weights.
      conversion: how the task reads and writes the video's planes.

    Attributes:
      compile_seconds: how long compiling took.

    Raises:
      MissingError: ONNX Runtime is not installed, or too old.
    """

    def __init__(self, network: Weights, conversion: NetworkConversion):
        onnx_runtime()
        from vdiff_jax.exporting.onnx_session import Session

        self._config, self._conversion, multiple = network.config, conversion, network.config.multiple
        self._session = Session(
            network, tuple(side * conversion.scale + -side * conversion.scale % multiple for side in conversion.size)
        )
        self.compile_seconds = 0.0

    def __call__(
        self, params: Any, carry: Carry, inputs: ChunkInputs, active: Bool[np.ndarray, " n"]
    ) -> tuple[Carry, tuple[tuple[np.ndarray, ...], Bool[np.ndarray, " n"]]]:
        """The new carry, the planes of the chunk's frames, and whether the network's results were finite.

        Args:
          params: the network's parameters; the session has its own.
          carry: the carry after the chunk before.
          inputs: the chunk and the frame after it.
          active: which frames to restore; the planes of the others are 0.
        """
        constants = (self._conversion, self._config)
        inputs = jax.device_put(inputs)
        ahead = np.asarray(self._run(look_ahead_numbers, constants, inputs))
        carry, made = _batched(carry), []
        for n in np.flatnonzero(active):
            numbers = (np.int32(n), ahead[n])
            before = self._run(before_network, constants, carry, inputs, numbers)
            corrects = not before.exact
            with self._compiling():
                self._session.load(corrects)
            outputs = self._session(before.tensors, corrected=corrects)
            hidden = [outputs.pop(f"next_hidden_{level}") for level in range(len(self._config.widths))]
            rest = before._replace(tensors={}, exact=None, held=None)
            result, confidence, *finished = self._run(after_network, constants, inputs, numbers, rest, outputs)
            made.append(jax.tree.map(np.asarray, finished))
            if not made[-1][1]:
                carry = _batched(start(self._config, result.shape[:-1]))
            elif before.held:
                carry = Carry(hidden=hidden, result=result, confidence=confidence, time=before.frame.time)
        count = len(active)
        whole = jax.tree.map(lambda leaf: np.zeros((count, *leaf.shape), leaf.dtype), made[0])
        for n, frame in zip(np.flatnonzero(active), made):
            for plane, own in zip(jax.tree.leaves(whole), jax.tree.leaves(frame)):
                plane[n] = own
        hidden = [np.asarray(h)[0] for h in carry.hidden]
        return dataclasses.replace(carry, hidden=hidden), tuple(whole)

    def _run(self, function: Callable[..., Any], constants: tuple, *arguments: Any) -> Any:
        with self._compiling():
            program = compiled(function, constants, arguments)
        return program(*arguments)

    @contextlib.contextmanager
    def _compiling(self) -> Iterator[None]:
        """Counts the time within the `with` block as compilation."""
        begun = time.monotonic()
        yield
        self.compile_seconds += time.monotonic() - begun


class Before(NamedTuple):
    """What comes before the network in a frame's step.

    Attributes:
      tensors: the inputs of the ONNX model.
      given: what the network is given, without the hidden state.
      frame: the observation, without its velocity.
      exact: whether the frame is known without error, so that only the state advances.
      held: whether anything of the frame is known; if not, the carry stays as it is.
    """

    tensors: dict[str, Array]
    given: Given
    frame: Observation
    exact: Any
    held: Any


def _batched(carry: Carry) -> Carry:
    """The carry with its hidden state as batches of one, as ONNX Runtime has it.

    NumPy adds the axis without a copy. JAX would compile a program for each shape.
    """
    return dataclasses.replace(carry, hidden=[np.asarray(h)[None] for h in carry.hidden])


def look_ahead_numbers(conversion: NetworkConversion, config: NetworkConfig, inputs: ChunkInputs) -> Int[Array, " n"]:
    """For each frame of a chunk the number of its look-ahead: the next frame with content."""
    return numbers_ahead(partial(observe, conversion, config.multiple, inputs), inputs.velocity.shape[0])


def before_network(
    conversion: NetworkConversion,
    config: NetworkConfig,
    carry: Carry,
    inputs: ChunkInputs,
    numbers: tuple[Int[Array, ""], Int[Array, ""]],
) -> Before:
    """The part of a frame's step before the network. Pure.

    Args:
      conversion: how the task reads the video's planes.
      config: the network's architecture.
      carry: the carry after the frame before, from `_batched`.
      inputs: the chunk and the frame after it.
      numbers: of the frame and of its look-ahead.
    """
    carry = dataclasses.replace(carry, hidden=[h[0] for h in carry.hidden])
    seen = partial(observe, conversion, config.multiple, inputs)
    frame, ahead = frame_and_ahead(seen, numbers, inputs.velocity[numbers[0]])
    given, distance = prepare(carry, frame, ahead, config)
    tensors = {"input": encoder_input(given, distance)}
    tensors |= {f"hidden_{level}": hidden for level, hidden in enumerate(given.hidden)}
    return Before(
        {name: tensor[None] for name, tensor in tensors.items()},
        given._replace(hidden=[]),
        dataclasses.replace(frame, velocity=None),
        is_exact(frame),
        holds(frame.known) > 0,
    )


def after_network(
    conversion: NetworkConversion,
    config: NetworkConfig,
    inputs: ChunkInputs,
    numbers: tuple[Int[Array, ""], Int[Array, ""]],
    before: Before,
    outputs: dict[str, Array],
) -> tuple[Array, Array, Planes, Bool[Array, ""]]:
    """The part of a frame's step after the network. Pure.

    Args:
      conversion: how the task writes the video's planes.
      config: the network's architecture.
      inputs: the chunk and the frame after it.
      numbers: of the frame and of its look-ahead.
      before: from `before_network`.
      outputs: of the ONNX model, without the state; none if the frame is exact.

    Returns:
      The result and the confidence for the new carry, the frame's planes, and whether the result is finite.
    """
    given, frame = before.given, before.frame
    outputs = {name: output[0] for name, output in outputs.items()}
    if outputs:
        correction = Correction(outputs["residual"], *jnp.split(outputs["gates"], 3, axis=-1), outputs["mean"])
        result = project(shuffle(corrected(given.guess, correction, given), config.cell), frame)
    else:
        result = project(frame.values, frame)
    finite = jnp.isfinite(result.sum())
    finished = finish(conversion, config.multiple, inputs, numbers, result, finite)
    return result, shuffle(given.confidence, config.cell), *finished
