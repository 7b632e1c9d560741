"""Frames shown more than once (3:2 pulldown, animation on twos, frames that were dropped): told apart and left out."""

import dataclasses
from collections.abc import Iterable, Iterator
from fractions import Fraction

import cv2
import numpy as np

from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.flow import FlowFrame

_SAME = 2.0
"""The most that a block's brightness changes from a frame to its repetition, in 8-bit units: what coding changes."""
_MOVED = 6.0
"""The least that some block changes where something moves."""
_BLOCK = 8
_LONGEST = 6
"""Frames that a cadence takes to come round (3:2 pulldown: five); as many repetitions are a still picture."""


def drop_repeats(prepared: Iterable[AnalysedFrame]) -> Iterator[AnalysedFrame]:
    """Leaves out frames that repeat the one before while things move, and spaces the others as they were taken.

    From one repeated frame to the next the distinct ones follow evenly: of 24 frames a second shown as 30, the four
    in a round of five lie 1.25 intervals apart. A repetition that stands alone is left out and nothing is moved. In
    still pictures nothing is left out.
    """
    run = _Run()
    for item in prepared:
        yield from run.push(item)
    yield from run.release()


@dataclasses.dataclass
class _Run:
    """Distinct frames from a repeated one on, each with its repetitions.

    Attributes:
      frames: the distinct frames.
      repeats: of each one.
    """

    frames: list[AnalysedFrame] = dataclasses.field(default_factory=list)
    repeats: list[list[AnalysedFrame]] = dataclasses.field(default_factory=list)

    def push(self, item: AnalysedFrame) -> Iterator[AnalysedFrame]:
        """Takes the next frame; gives those that are settled."""
        if self.frames and not item.starts_shot and _change(self.frames[-1].flow_frame, item.flow_frame) <= _SAME:
            self.repeats[-1].append(item)
            if len(self.repeats[-1]) >= _LONGEST:
                yield from self.release()
            elif len(self.repeats[-1]) == 1 and len(self.frames) > 1 and self.repeats[0]:
                yield from self._round()
            return
        if self.frames and (item.starts_shot or not self.repeats[0] or not self._moves(item)):
            yield from self.release()
        if len(self.frames) > _LONGEST:
            yield from self.frames
            self.frames, self.repeats = [], []
        self.frames.append(item)
        self.repeats.append([])

    def release(self) -> Iterator[AnalysedFrame]:
        """The frames at their own times; the last with its repetitions, for none follows that would show what moved."""
        yield from self.frames
        yield from self.repeats[-1] if self.repeats else ()
        self.frames, self.repeats = [], []

    def _moves(self, item: AnalysedFrame) -> bool:
        return _change(self.frames[-1].flow_frame, item.flow_frame) >= _MOVED

    def _round(self) -> Iterator[AnalysedFrame]:
        """The frames before the last, which is repeated as the first is: a round of the cadence."""
        *those, last = self.frames
        count, first = len(those), those[0]
        for n, frame in enumerate(those):
            pts = first.frame.pts + Fraction(n, count) * (last.frame.pts - first.frame.pts)
            time = first.flow_frame.time + n / count * (last.flow_frame.time - first.flow_frame.time)
            yield dataclasses.replace(
                frame,
                frame=dataclasses.replace(frame.frame, pts=pts),
                flow_frame=dataclasses.replace(frame.flow_frame, time=time, displacements={}),
            )
        self.frames, self.repeats = [last], self.repeats[-1:]


def _change(first: FlowFrame, second: FlowFrame) -> float:
    """By how much the block that changes most differs in brightness, in 8-bit units."""
    if first.small is None or second.small is None:
        return _MOVED
    difference = cv2.absdiff(first.small, second.small).astype(np.float32)
    height, width = difference.shape
    size = (max(1, width // _BLOCK), max(1, height // _BLOCK))
    return float(cv2.resize(difference, size, interpolation=cv2.INTER_AREA).max())
