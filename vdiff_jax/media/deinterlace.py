"""Deinterlacing by FFmpeg's filter bwdif (Bob Weaver, with Yadif's and w3fdif's kernels)."""

from collections.abc import Iterator
from fractions import Fraction

import av

from vdiff_jax.media.filters import run_filters


def deinterlaced(
    frames: Iterator[av.VideoFrame], time_base: Fraction, *, bottom_first: bool = False, double_rate: bool = False
) -> Iterator[av.VideoFrame]:
    """One progressive picture for each interlaced frame, at the same time; or one for each field.

    Args:
        frames: interlaced frames.
        time_base: seconds per unit of their pts.
        bottom_first: the bottom field is shown before the top one. PyAV's frames do not tell FFmpeg's filters so.
        double_rate: makes a picture of each field. Their times are in half of the time base.
    """
    parity = "bff" if bottom_first else "tff"
    if not double_rate:
        return run_filters(frames, [("bwdif", f"mode=send_frame:deint=all:parity={parity}")], time_base)
    chain = [("bwdif", f"mode=send_field:deint=all:parity={parity}")]
    return run_filters(_halved(frames, time_base), chain, time_base / 2)


def _halved(frames: Iterator[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
    """The frames with their times in half of the time base, and half of their duration, which is a field's."""
    for frame in frames:
        pts, duration = frame.pts, frame.duration
        frame.time_base = time_base / 2
        frame.pts, frame.duration = None if pts is None else 2 * pts, duration
        yield frame
