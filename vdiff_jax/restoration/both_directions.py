"""Restores every shot forward and backward in time and merges both: better than one direction, at twice the time."""

from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from vdiff_jax.pixels import Frame
from vdiff_jax.restoration.restorer import Restorer, frames_of, taken_up
from vdiff_jax.restoration.reverse import LookingAhead, backward, joined, last_frame
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
                carry, before = taken_up(state, (carry, last_frame(span[0], inputs[0])))
                first, kept = int(seen), None
            forward, restored = [], []
            for chunk, one in zip(span, inputs):
                carry, planes = self._restorer.advance(carry, one, len(chunk.analysed))
                forward.append(planes)
            reverse = self._backward(span, inputs, before, after)
            left = sum(len(chunk.analysed) for chunk in [*span, *after])
            for chunk, *both in zip(span, forward, reverse):
                count = len(chunk.analysed)
                seen = np.arange(count)
                restored += frames_of(chunk, merge(*both, before=first + seen, after=left - 1 - seen))
                first, left = first + count, left - count
            before = last_frame(span[-1], inputs[-1])
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
        self, span: list[Chunk], inputs: list[ChunkInputs], before: ChunkInputs | None, after: list[Chunk]
    ) -> list[tuple[np.ndarray, ...]]:
        """The planes of each chunk from a run in reverse order.

        Args:
          span: chunks of one shot.
          inputs: theirs.
          before: the frame before the span, alone; `None` at the start of a shot.
          after: the chunks after the span; none at the end of a shot.
        """
        carry = self._restorer.carry_from(after, last_frame(span[-1], inputs[-1]), _WARM_UP_FRAMES)
        made = []
        for number in reversed(range(len(span))):
            previous = last_frame(span[number - 1], inputs[number - 1]) if number else before
            count = len(span[number].analysed)
            turned = backward(joined(previous, inputs[number]), count)
            carry, planes = self._restorer.advance(carry, turned, count, reverse=True)
            made.append(tuple(plane[::-1] for plane in planes))
        return made[::-1]


def spans(chunks: Iterable[Chunk], length: int) -> Iterator[tuple[list[Chunk], list[Chunk]]]:
    """Up to `length` chunks of one shot at a time, and the chunks after them that the backward run begins with."""
    ahead, span = LookingAhead(chunks), []
    for chunk in ahead:
        span.append(chunk)
        after = ahead.following(_WARM_UP_FRAMES)
        if len(span) == length or not after:
            yield span, after
            span = []


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
