"""Changes a video's frame times: decides which frames are shown and where empty ones are inserted."""

import dataclasses
from collections.abc import Iterable, Iterator
from fractions import Fraction

from vdiff_jax.pixels import Frame
from vdiff_jax.stream.analysis import AnalysedFrame

_SAME = Fraction(1, 20)
"""An output time this near to a frame's time, in frame intervals, counts as equal to it: time stamps are rounded."""


def retime(frames: Iterable[AnalysedFrame], interval: Fraction) -> Iterator[AnalysedFrame]:
    """The frames of a video with empty ones inserted, so that one frame is shown every `interval`.

    A frame at one of the output's times is shown as it is. The others are kept to interpolate from, but not shown.
    Nothing is interpolated across a cut: the nearer of the two frames is shown again, at most one interval early.

    Args:
      frames: a video's frames in order.
      interval: between two shown frames, in units of their `pts`.

    Yields:
      The video's frames and the inserted ones in order. The pts of shown frames count from 0.
    """
    count, origin, last, span = 0, None, None, 0
    for item in frames:
        origin = item.frame.pts if origin is None else origin
        starts_shot = item.starts_shot
        if last is not None:
            span = item.frame.pts - last.frame.pts
            while (time := origin + count * interval) < item.frame.pts - _tolerance(span, interval):
                share = (time - last.frame.pts) / max(span, 1)
                if item.starts_shot and item.frame.pts - time > interval:
                    share = Fraction(0)
                inserted = _inserted(last, item, float(share), count, starts_shot)
                starts_shot = starts_shot and not inserted.starts_shot
                yield inserted
                count += 1
        ahead = count * interval - (item.frame.pts - origin)
        shown = last is None or abs(ahead) <= _tolerance(span, interval)
        yield dataclasses.replace(item, shown=shown, starts_shot=starts_shot, frame=_numbered(item.frame, count))
        count += shown
        last = item


def _tolerance(span: int | Fraction, interval: Fraction) -> Fraction:
    """How far a frame may be shown from its own time, in units of `pts`: little after a long gap, too.

    Args:
      span: from the frame before it.
      interval: between two shown frames.
    """
    return min(_SAME * span, max(2 * _SAME * interval, Fraction(1)))


def _inserted(
    last: AnalysedFrame, following: AnalysedFrame, share: float, count: int, starts_shot: bool
) -> AnalysedFrame:
    """An empty frame between two; across a cut a copy of the nearer one, which then may start the second shot.

    Args:
      last, following: the two frames.
      share: its time, 0 at the last frame and 1 at the following one.
      count: its pts.
      starts_shot: whether the second shot has no frame yet.
    """
    time = last.flow_frame.time + share * (following.flow_frame.time - last.flow_frame.time)
    if following.starts_shot:
        nearer = last if share < 0.5 else following
        return dataclasses.replace(
            nearer,
            frame=_numbered(nearer.frame, count),
            flow_frame=dataclasses.replace(nearer.flow_frame, time=time),
            starts_shot=starts_shot and nearer is following,
            shown=True,
        )
    flow_frame = dataclasses.replace(last.flow_frame, small=None, known=None, time=time, displacements={})
    return AnalysedFrame(
        frame=_numbered(last.frame, count),
        mask=last.mask,
        error=last.error,
        flow_frame=flow_frame,
        starts_shot=False,
        following=following,
    )


def _numbered(frame: Frame, count: int) -> Frame:
    return Frame(frame.planes, count, 1)
