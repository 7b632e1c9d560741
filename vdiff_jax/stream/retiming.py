"""Frames at other times than a video has them: which ones to show, and which to make between two."""

import dataclasses
from collections.abc import Iterable, Iterator
from fractions import Fraction

from vdiff_jax.pixels import Frame
from vdiff_jax.stream.analysis import AnalysedFrame

_SAME = 0.05
"""A time this near to a frame's, in intervals between frames, is that frame's: time stamps are rounded."""


def retime(prepared: Iterable[AnalysedFrame], interval: Fraction) -> Iterator[AnalysedFrame]:
    """The frames of a video with others inserted so that one is shown every `interval`.

    A frame whose time is asked for is shown as it is; the others are still there to learn from. Over a cut nothing is
    made: the nearer of the two frames is shown again.

    Args:
      prepared: a video's frames in order.
      interval: between two frames that are shown, in units of their `pts`.

    Yields:
      The frames that exist and those in between, in order; the pts of those that are shown count from 0.
    """
    count, origin, last, span = 0, None, None, 0
    for item in prepared:
        origin = item.frame.pts if origin is None else origin
        begins = item.starts_shot
        if last is not None:
            span = item.frame.pts - last.frame.pts
            while (share := _share(count, interval, origin, last, span)) < 1 - _SAME:
                made = _made(last, item, float(share), count, begins)
                begins = begins and not made.starts_shot
                yield made
                count += 1
        ahead = count * interval - (item.frame.pts - origin)
        shown = last is None or abs(ahead) <= _SAME * span
        yield dataclasses.replace(item, shown=shown, starts_shot=begins, frame=_at(item.frame, count))
        count += shown
        last = item


def _share(
    count: int, interval: Fraction, origin: int | Fraction, last: AnalysedFrame, span: int | Fraction
) -> Fraction:
    """Where the next frame to be shown lies between the last one and the one after it, 0 to 1 and beyond."""
    return (origin + count * interval - last.frame.pts) / max(span, 1)


def _made(last: AnalysedFrame, following: AnalysedFrame, share: float, count: int, begins: bool) -> AnalysedFrame:
    """A frame between two; of two shots, a copy of the nearer, which may have to begin the second shot."""
    time = last.flow_frame.time + share * (following.flow_frame.time - last.flow_frame.time)
    if following.starts_shot:
        nearer = last if share < 0.5 else following
        return dataclasses.replace(
            nearer,
            frame=_at(nearer.frame, count),
            flow_frame=dataclasses.replace(nearer.flow_frame, time=time),
            starts_shot=begins and nearer is following,
            shown=True,
        )
    seen = dataclasses.replace(last.flow_frame, small=None, known=None, time=time, displacements={})
    frame = _at(last.frame, count)
    return AnalysedFrame(
        frame=frame, mask=last.mask, error=last.error, flow_frame=seen, starts_shot=False, following=following
    )


def _at(frame: Frame, count: int) -> Frame:
    return Frame(frame.planes, count, 1)
