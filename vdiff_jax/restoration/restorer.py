"""Restores one video with a network, chunk by chunk. The network is compiled once for the video's size.

The carry is the network's state, which each frame hands to the next one.
"""

import copy
import dataclasses
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from jaxtyping import Float

from vdiff_jax import weights
from vdiff_jax.diffusion.step import Carry, start
from vdiff_jax.errors import ResumeError
from vdiff_jax.pixels import Frame
from vdiff_jax.restoration.chunk_function import restore_planes
from vdiff_jax.restoration.compiled import compiled
from vdiff_jax.restoration.finite_check import FiniteCheck
from vdiff_jax.restoration.frame_by_frame import FrameByFrame
from vdiff_jax.restoration.in_windows import InWindows
from vdiff_jax.restoration.reverse import LookingAhead, backward, joined, last_frame
from vdiff_jax.restoration.tiles import ArrayInFile, InTiles, start_on_host, tiles_of
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints
from vdiff_jax.stream.chunks import Chunk, chunk_frames
from vdiff_jax.tasks.video import ChunkInputs, NetworkConversion

_start = jax.jit(start, static_argnums=(0, 1))  # one program, instead of one for each array
_WARM_UP_FRAMES = 4
"""Before a shot, this many frames after its first one are restored in reverse. More hardly improve the first frame."""


class Restorer:
    """Restores one video with a network, chunk by chunk.

    Args:
      network: trained weights.
      conversion: how the task reads the video's planes and writes them.
      sigma_of: a function from frames' quantisers to their expected error of Y', Cb and Cr, in [0, 1].
      frames: of a chunk; `None`: as many as a chunk may have.
      backend: "jax", or "onnx" to run the network in ONNX Runtime.
      tile: the network runs in tiles of about this many rows and columns; `None` for whole frames.
      on_disk: in tiles, the carry is in temporary files.
      folder: for these files; `None`: the system's.

    Raises:
      MissingError: `backend` is "onnx", but ONNX Runtime is not installed or too old.
    """

    def __init__(
        self,
        network: weights.Weights,
        conversion: NetworkConversion,
        sigma_of: Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, "n 3"]],
        *,
        frames: int | None = None,
        backend: str = "jax",
        tile: int | None = None,
        on_disk: bool = False,
        folder: Path | None = None,
    ):
        self._params = network.params
        self._conversion, self._sigma_of = conversion, sigma_of
        self._config = network.config
        self.multiple = self._config.multiple
        height, width = (side * conversion.scale for side in conversion.size)
        self.frames = frames or chunk_frames(height * width)
        self._padded = tuple(side + -side % self.multiple for side in (height, width))
        self._in_tiles, self._place = tile is not None, {"on_disk": on_disk, "folder": folder}
        self.ahead = 0 if self._in_tiles else 2
        self._carry = self.start()
        make = partial(_network_for, network, conversion, backend)
        if tile is None:
            self._network = make(conversion.size)
        else:
            scale = conversion.scale
            tiles = tiles_of(conversion.size, conversion.pixels, self.multiple // scale, tile // scale)
            self._network = InTiles(tiles, make, scale)
        self._finite = FiniteCheck()
        self._compiled_before = 0.0

    def restore(self, chunks: Iterable[Chunk], checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[Frame]:
        """As `ChunkRestorer.restore`.

        Args:
          chunks: the chunks that an earlier run has not restored.
          checkpoints: hold the carry after the earlier run, and receive the carries of this one.
        """
        if (kept := checkpoints.state("carry")) is not None:
            self._carry = taken_up(kept, self._carry)
        count = checkpoints.begun.frames
        ahead = LookingAhead(chunks)
        for number, chunk in enumerate(ahead, start=checkpoints.begun.chunks + 1):
            inputs = self.inputs_of(chunk)
            if chunk.starts_shot:
                self._carry, inputs = self._warmed_up(chunk, inputs, ahead)
            self._carry, planes = self.advance(self._carry, inputs, len(chunk.analysed))
            restored = list(frames_of(chunk, planes))
            count += len(restored)
            if restored and checkpoints.propose(count, number):
                checkpoints.keep(count, "carry", jax.tree.leaves(self._carry))
            yield from restored
        self.close()

    def inputs_of(self, chunk: Chunk) -> ChunkInputs:
        """The arrays of a chunk that the compiled function takes."""
        return ChunkInputs(
            planes=chunk.planes,
            valid=chunk.valid,
            error=chunk.error,
            velocity=chunk.velocity,
            time=chunk.time,
            sigma=self._sigma_of(chunk.quantisers).astype(np.float32),
        )

    def start(self) -> Carry:
        """The carry at the start of a shot."""
        if self._in_tiles:
            return start_on_host(self._config, self._padded, **self._place)
        return _start(self._config, self._padded)

    def advance(
        self, carry: Carry, inputs: ChunkInputs, count: int, *, reverse: bool = False, shown: bool = True
    ) -> tuple[Carry, tuple[np.ndarray, ...]]:
        """Restores the first frames of a chunk; with `reverse`, the last ones of a chunk in reverse order.

        Args:
          carry: the carry after the frame before.
          inputs: the chunk and the frame after it; with `reverse`, what `backward` returns.
          count: how many frames.
          reverse: whether the chunk is in reverse order.
          shown: whether the frames are part of the result, rather than there for the carry alone.

        Returns:
          The carry after the last of them; and their planes, one array of all `count` frames a plane. A frame for which
          the network gives NaN or infinite values is returned unchanged.
        """
        active = np.arange(self.frames) >= self.frames - count if reverse else np.arange(self.frames) < count
        carry, (planes, finite) = self._network(self._params, carry, inputs, active)
        if shown:
            self._finite.count(finite[active])
        return carry, tuple(plane[active] for plane in planes)

    def carry_from(self, following: list[Chunk], before: ChunkInputs, count: int) -> Carry:
        """The carry of a run backward in time over the first `count` frames of some chunks, the last frame first.

        Args:
          following: the chunks in order; if there are none, the carry is that at the start of a shot.
          before: the frame before them, which the run has not reached.
          count: how many frames; all, if they have fewer.
        """
        runs = []
        for chunk in following:
            own, taken = self.inputs_of(chunk), min(len(chunk.analysed), count)
            runs.append((backward(joined(before, own), taken), taken))
            before, count = last_frame(chunk, own), count - taken
        carry = self.start()
        for turned, taken in reversed(runs):
            carry, _ = self.advance(carry, turned, taken, reverse=True, shown=False)
        return carry

    def close(self) -> None:
        """Warns of frames that the network could not restore; to be called after the last frame."""
        self._finite.close()

    def report(self) -> dict[str, Any]:
        """The seconds that compilation took, and the frames that the network could not restore, for the report."""
        return {
            "compile_seconds": round(self._network.compile_seconds - self._compiled_before, 3),
            **self._finite.report(),
        }

    def anew(self) -> "Restorer":
        """A copy at the start of a video that shares the compiled function."""
        other = copy.copy(self)
        other._carry, other._finite = self.start(), FiniteCheck()
        other._compiled_before = self._network.compile_seconds
        return other

    def _warmed_up(self, chunk: Chunk, inputs: ChunkInputs, ahead: LookingAhead) -> tuple[Carry, ChunkInputs]:
        """Restores some frames after a shot's first one in reverse order, so that the carry holds the shot.

        Args:
          chunk: the shot's first.
          inputs: its arrays.
          ahead: has the next chunks.

        Returns:
          The carry, and the inputs. The first frame's backward flow now leads to the second frame, because that one is
          in the carry. The time between the two is the same as before.
        """
        own = min(len(chunk.analysed) - 1, _WARM_UP_FRAMES)
        following = ahead.following(_WARM_UP_FRAMES - own)
        held = [inputs.valid[: own + 1], *(one.valid[: len(one.analysed)] for one in following)]
        if not (own or following) or not np.concatenate(held).all():
            return self.start(), inputs
        carry = self.carry_from(following, last_frame(chunk, inputs), _WARM_UP_FRAMES - own)
        if own:
            carry, _ = self.advance(carry, backward(inputs, own), own, reverse=True, shown=False)
        velocity = inputs.velocity.copy()
        velocity[0, ..., :2] = velocity[0, ..., 2:]
        carry = dataclasses.replace(carry, time=np.float32(2 * inputs.time[0] - inputs.time[1]))
        return carry, dataclasses.replace(inputs, velocity=velocity)


def _network_for(
    network: weights.Weights, conversion: NetworkConversion, backend: str, size: tuple[int, int]
) -> "InWindows | FrameByFrame":
    """The network's function of a chunk, for frames of some height and width."""
    conversion = dataclasses.replace(conversion, size=size)  # pyright: ignore[reportArgumentType]
    if backend == "onnx":
        return FrameByFrame(network, conversion)
    config = network.config
    padded = tuple(side * conversion.scale + -side * conversion.scale % config.multiple for side in size)
    constants = (network.definition, conversion, config.multiple)
    message = f"compiling the network for {padded[1]}x{padded[0]}, once for all videos of this size"
    return InWindows(
        lambda rows, arguments: compiled(restore_planes, (*constants, rows), arguments, message), padded, config
    )


def frames_of(chunk: Chunk, planes: tuple[np.ndarray, ...]) -> Iterator[Frame]:
    """Those of the chunk's frames that are part of the output, with their restored planes."""
    for n, frame in enumerate(chunk.frames):
        if frame is not None:
            shown = tuple(plane[n] for plane in planes)
            starts_shot = chunk.analysed[n].starts_shot
            yield Frame(shown, frame.pts, frame.duration, starts_shot=starts_shot, given=frame.planes)


Tree = TypeVar("Tree")


def taken_up(kept: list[np.ndarray], like: Tree) -> Tree:
    """The carry that an earlier run stored, in arrays that may be overwritten.

    Args:
      kept: the stored arrays.
      like: a carry of the same shapes. Its arrays in files get the stored values.

    Raises:
      ResumeError: their shapes or dtypes differ from those of `like`.
    """
    leaves, tree = jax.tree.flatten(like)
    if [(leaf.shape, leaf.dtype) for leaf in leaves] != [(leaf.shape, leaf.dtype) for leaf in kept]:
        raise ResumeError("the state of the earlier run does not fit this video: delete its folder to start again")

    def copied(leaf: Any, stored: np.ndarray) -> Any:
        if not isinstance(leaf, ArrayInFile):
            return stored.copy()
        leaf[...] = stored
        return leaf

    return jax.tree.unflatten(tree, list(map(copied, leaves, kept)))
