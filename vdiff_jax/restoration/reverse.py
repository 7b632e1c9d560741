"""Chunks in reverse order, for runs backward in time."""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator

import jax
import numpy as np

from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.tasks.video import ChunkInputs


def backward(inputs: ChunkInputs, count: int) -> ChunkInputs:
    """A chunk in reverse: its frames `count` to 1 and, as the frame after them, frame 0.

    The result has as many frames as the chunk; the frames that pad its start are unknown.
    """
    frames = len(inputs.time) - 1
    order = np.array([*[0] * (frames - count), *range(count, -1, -1)])
    in_reverse = jax.tree.map(lambda leaf: np.asarray(leaf)[order], dataclasses.replace(inputs, velocity=None))
    return dataclasses.replace(
        in_reverse,
        valid=in_reverse.valid * (np.arange(frames + 1) >= frames - count),
        # A velocity's pairs for the frame before and for the next frame are swapped.
        velocity=np.roll(np.asarray(inputs.velocity)[order[:-1]], 2, axis=-1),
        time=-in_reverse.time,
    )


def last_frame(chunk: Chunk, inputs: ChunkInputs) -> ChunkInputs:
    """The chunk's last frame alone."""
    number = len(chunk.analysed) - 1
    return jax.tree.map(lambda leaf: leaf[number : number + 1], inputs)


def joined(before: ChunkInputs | None, inputs: ChunkInputs) -> ChunkInputs:
    """A chunk's inputs with the frame before the chunk at the start, and without the frame after it at the end.

    The velocity of the last frame is repeated, so that it has as many frames as the other arrays.
    """
    if before is None:
        before = jax.tree.map(lambda leaf: leaf[:1], inputs)
        before = dataclasses.replace(before, valid=np.zeros_like(before.valid))
    whole = dataclasses.replace(inputs, velocity=np.concatenate([inputs.velocity, inputs.velocity[-1:]]))
    return jax.tree.map(lambda first, leaf: np.concatenate([first, leaf[:-1]]), before, whole)


class LookingAhead:
    """An iterator over chunks that can also return the chunks that come next, without passing them."""

    def __init__(self, chunks: Iterable[Chunk]):
        self._source, self._waiting = iter(chunks), deque[Chunk]()

    def __iter__(self) -> Iterator[Chunk]:
        while self._waiting or self._read():
            yield self._waiting.popleft()

    def following(self, frames: int) -> list[Chunk]:
        """The next chunks of the shot that together have at least so many frames; fewer at the end of the shot."""
        found = list[Chunk]()
        while frames > 0 and (len(found) < len(self._waiting) or self._read()):
            chunk = self._waiting[len(found)]
            if chunk.starts_shot:
                break
            found.append(chunk)
            frames -= len(chunk.analysed)
        return found

    def _read(self) -> bool:
        """Whether there was one more chunk to wait."""
        chunk = next(self._source, None)
        if chunk is not None:
            self._waiting.append(chunk)
        return chunk is not None
