"""Deinterlacing by FFmpeg's filter bwdif (Bob Weaver, with Yadif's and w3fdif's kernels)."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
import numpy as np

from vdiff_jax.media.filters import filter_graph, run_filters


def deinterlaced(
    frames: Iterator[av.VideoFrame], time_base: Fraction, *, bottom_first: bool = False, double_rate: bool = False
) -> Iterator[av.VideoFrame]:
    """One progressive picture for each interlaced frame, at the same time; or one for each field.

    Args:
        frames: interlaced frames.
        time_base: seconds per unit of their pts.
        bottom_first: the bottom field is shown before the top one.
        double_rate: makes a picture of each field. Their times are in half of the time base.
    """
    parity = "bff" if bottom_first else "tff"
    if not double_rate:
        return run_filters(frames, [("bwdif", f"mode=send_frame:deint=all:parity={parity}")], time_base)
    chain = [("bwdif", f"mode=send_field:deint=all:parity={parity}")]
    return run_filters(_halved(frames, time_base), chain, time_base / 2)


def shows_bottom_first(frames: Iterable[av.VideoFrame]) -> bool:
    """Whether the frames are marked as interlaced with the bottom field first.

    PyAV does not tell, but FFmpeg's filter `fieldorder` does: it changes a frame only if it is marked otherwise.
    """
    for frame in frames:
        top, bottom = (_grey(frame, ("fieldorder", order)) for order in ("tff", "bff"))
        if frame.interlaced_frame and not np.array_equal(top, bottom):  # a flat picture never changes
            return np.array_equal(bottom, _grey(frame))
    return False


def _grey(frame: av.VideoFrame, *chain: tuple[str, str]) -> np.ndarray:
    graph = filter_graph(frame, [("format", "gray"), *chain], Fraction(1))
    graph.vpush(frame)
    return graph.vpull().to_ndarray()


def _halved(frames: Iterator[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
    """The frames with their times in half of the time base, and half of their duration, which is a field's."""
    for frame in frames:
        pts, duration = frame.pts, frame.duration
        frame.time_base = time_base / 2
        frame.pts, frame.duration = None if pts is None else 2 * pts, duration
        yield frame
