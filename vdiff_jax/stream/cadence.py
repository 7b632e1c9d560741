"""Removes repeated frames (3:2 pulldown, animation on twos, dropped frames) and restores even spacing in time."""

import dataclasses
from collections.abc import Iterable, Iterator
from fractions import Fraction

import cv2
import numpy as np

from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.flow import FlowFrame

_SAME = 2.0
"""A frame repeats another if no block's brightness differs by more than this, in 8-bit units. Coding changes that much.
"""
_MOVED = 6.0
"""Something moves if some block's brightness changes by at least this, in 8-bit units."""
_BLOCK = 8
"""The side of a block in half-size pixels."""
_LONGEST = 6
"""The longest cycle of a cadence in frames (3:2 pulldown has five). As many repeats in a row are a still picture."""


def drop_repeats(frames: Iterable[AnalysedFrame]) -> Iterator[AnalysedFrame]:
    """Leaves out repeated frames while something moves, and restores the times at which the others were taken.

    From one repeated frame to the next, the distinct frames are spaced evenly. For example, film shown at 30 frames a
    second has four distinct frames in a cycle of five; they become 1.25 intervals apart. A single repeat is left out
    without moving the others. Still pictures pass unchanged.
    """
    run = _Run()
    for item in frames:
        yield from run.push(item)
    yield from run.release()


@dataclasses.dataclass
class _Run:
    """The distinct frames since the last repeated one, and the repeats of each."""

    frames: list[AnalysedFrame] = dataclasses.field(default_factory=list)
    repeats: list[list[AnalysedFrame]] = dataclasses.field(default_factory=list)

    def push(self, item: AnalysedFrame) -> Iterator[AnalysedFrame]:
        """Takes the next frame, and yields the frames whose times are now known."""
        if self.frames and not item.starts_shot and self._change_to(item) <= _SAME:
            self.repeats[-1].append(item)
            if len(self.repeats[-1]) >= _LONGEST:
                yield from self.release()
            elif len(self.repeats[-1]) == 1 and len(self.frames) > 1 and self.repeats[0]:
                yield from self._complete_cycle()
            return
        if self.frames and (item.starts_shot or not self.repeats[0] or self._change_to(item) < _MOVED):
            yield from self.release()
        if len(self.frames) > _LONGEST:
            yield from self.frames
            self.frames, self.repeats = [], []
        self.frames.append(item)
        self.repeats.append([])

    def release(self) -> Iterator[AnalysedFrame]:
        """Yields the frames at their own times, and the last one's repeats: no later frame shows whether it moved."""
        yield from self.frames
        yield from self.repeats[-1] if self.repeats else ()
        self.frames, self.repeats = [], []

    def _change_to(self, item: AnalysedFrame) -> float:
        return _largest_change(self.frames[-1].flow_frame, item.flow_frame)

    def _complete_cycle(self) -> Iterator[AnalysedFrame]:
        """The frames from the first repeated one to just before the last repeated one, spaced evenly."""
        *spaced, last = self.frames
        count, first = len(spaced), spaced[0]
        for n, item in enumerate(spaced):
            pts = first.frame.pts + Fraction(n, count) * (last.frame.pts - first.frame.pts)
            time = first.flow_frame.time + n / count * (last.flow_frame.time - first.flow_frame.time)
            yield dataclasses.replace(
                item,
                frame=dataclasses.replace(item.frame, pts=pts),
                flow_frame=dataclasses.replace(item.flow_frame, time=time, displacements={}),
            )
        self.frames, self.repeats = [last], self.repeats[-1:]


def _largest_change(first: FlowFrame, second: FlowFrame) -> float:
    """The change of brightness of the block that changes most, in 8-bit units."""
    if first.small is None or second.small is None:
        return _MOVED
    difference = cv2.absdiff(first.small, second.small).astype(np.float32)
    height, width = difference.shape
    size = (max(1, width // _BLOCK), max(1, height // _BLOCK))
    return float(cv2.resize(difference, size, interpolation=cv2.INTER_AREA).max())
