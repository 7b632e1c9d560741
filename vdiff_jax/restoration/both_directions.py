"""Restores every shot forward and backward in time and merges both: better than one direction, at twice the time."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from vdiff_jax.pixels import Frame
from vdiff_jax.restoration.restorer import Restorer, backward, frames_of, taken_up
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints
from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.tasks.video import ChunkInputs

SPAN_FRAMES = 32
"""The backward run takes this many frames at a time, which bounds memory."""
CONFIDENCE = np.array([0.13, 0.35, 0.58, 0.78, 0.92, 1.0, 1.0], np.float32)
"""A run's weight by the number of frames that it has seen before; from `scripts/fit_directions.py`."""
_WARM_UP_FRAMES = len(CONFIDENCE) - 1
"""A backward run begins this many frames after the last frame that is taken from it."""


class BothDirections:
    """A restorer that runs through each span of a shot twice: forward, and backward from a few frames after it.

    Args:
      restorer: the network's restorer, at the start of a video.
    """

    def __init__(self, restorer: Restorer):
        self._restorer = restorer
        self.frames, self.multiple, self.ahead = restorer.frames, restorer.multiple, restorer.ahead
        self._chunks = max(1, SPAN_FRAMES // restorer.frames)

    def restore(self, chunks: Iterable[Chunk], checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[Frame]:
        """As `ChunkRestorer.restore`.

        Args:
          chunks: the chunks that an earlier run has not restored.
          checkpoints: hold the carry after the earlier run, and receive the carries of this one.
        """
        carry, before, first = self._restorer.start(), None, 0
        kept, shown, number = checkpoints.state("carry"), checkpoints.begun.frames, checkpoints.begun.chunks
        for span, after in spans(chunks, self._chunks):
            if span[0].starts_shot:
                carry, before, first = self._restorer.start(), None, 0
            inputs = [self._restorer.inputs_of(chunk) for chunk in span]
            if kept is not None:
                seen, *state = kept
                carry, before = taken_up(state, (carry, _last(span[0], inputs[0])))
                first, kept = int(seen), None
            forward, restored = [], []
            for chunk, one in zip(span, inputs):
                carry, planes = self._restorer.advance(carry, one, len(chunk.analysed))
                forward.append(planes)
            reverse = self._backward(span, inputs, before, after)
            left = sum(len(chunk.analysed) for chunk in [*span, *([after] if after else [])])
            for chunk, *both in zip(span, forward, reverse):
                count = len(chunk.analysed)
                seen = np.arange(count)
                restored += frames_of(chunk, merge(*both, before=first + seen, after=left - 1 - seen))
                first, left = first + count, left - count
            before = _last(span[-1], inputs[-1])
            shown, number = shown + len(restored), number + len(span)
            if restored and checkpoints.propose(shown, number):
                state = jax.tree.leaves((carry, before))
                checkpoints.keep(shown, "carry", [np.array(first), *state])
            yield from restored
        self._restorer.close()

    def report(self) -> dict[str, Any]:
        """The seconds that compilation took, for the report."""
        return self._restorer.report()

    def _backward(
        self, span: list[Chunk], inputs: list[ChunkInputs], before: ChunkInputs | None, after: Chunk | None
    ) -> list[tuple[np.ndarray, ...]]:
        """The planes of each chunk from a run in reverse order.

        Args:
          span: chunks of one shot.
          inputs: theirs.
          before: the frame before the span, alone; `None` at the start of a shot.
          after: the chunk after the span; `None` at the end of a shot.
        """
        carry = self._restorer.start()
        if after is not None:
            count = min(_WARM_UP_FRAMES, len(after.analysed))
            joined = _joined(_last(span[-1], inputs[-1]), self._restorer.inputs_of(after))
            carry, _ = self._restorer.advance(carry, backward(joined, count), count, reverse=True, shown=False)
        made = []
        for number in reversed(range(len(span))):
            previous = _last(span[number - 1], inputs[number - 1]) if number else before
            count = len(span[number].analysed)
            turned = backward(_joined(previous, inputs[number]), count)
            carry, planes = self._restorer.advance(carry, turned, count, reverse=True)
            made.append(tuple(plane[::-1] for plane in planes))
        return made[::-1]


def spans(chunks: Iterable[Chunk], length: int) -> Iterator[tuple[list[Chunk], Chunk | None]]:
    """Up to `length` chunks of one shot at a time, and the chunk after them; `None` at the end of a shot."""
    span: list[Chunk] = []
    for chunk in chunks:
        if span and chunk.starts_shot:
            yield span, None
            span = []
        elif len(span) == length:
            yield span, chunk
            span = []
        span.append(chunk)
    if span:
        yield span, None


def _last(chunk: Chunk, inputs: ChunkInputs) -> ChunkInputs:
    """The chunk's last frame alone."""
    number = len(chunk.analysed) - 1
    return jax.tree.map(lambda leaf: leaf[number : number + 1], inputs)


def _joined(before: ChunkInputs | None, inputs: ChunkInputs) -> ChunkInputs:
    """The inputs with the frame before them as their first, instead of the frame after them; velocity of n + 1."""
    if before is None:
        before = jax.tree.map(lambda leaf: leaf[:1], inputs)
        before = dataclasses.replace(before, valid=np.zeros_like(before.valid))
    whole = dataclasses.replace(inputs, velocity=np.concatenate([inputs.velocity, inputs.velocity[-1:]]))
    return jax.tree.map(lambda first, leaf: np.concatenate([first, leaf[:-1]]), before, whole)


def merge(
    forward: tuple[np.ndarray, ...],
    reverse: tuple[np.ndarray, ...],
    *,
    before: Int[np.ndarray, " n"],
    after: Int[np.ndarray, " n"],
) -> tuple[np.ndarray, ...]:
    """The weighted mean of both runs' results.

    Args:
      forward, reverse: planes of n frames, `n h w` each.
      before: how many frames of the shot the forward run has seen before each of these.
      after: how many the backward run has seen.
    """
    one, other = (CONFIDENCE[np.minimum(seen, len(CONFIDENCE) - 1)] for seen in (before, after))
    weight = (one / (one + other)).reshape(-1, 1, 1)
    merged = [b + weight * (a.astype(np.float32) - b) for a, b in zip(forward, reverse)]
    return tuple(
        np.rint(plane).astype(a.dtype) if np.issubdtype(a.dtype, np.integer) else plane
        for plane, a in zip(merged, forward)
    )
