"""Deinterlacing by FFmpeg's filter bwdif (Bob Weaver, with Yadif's and w3fdif's kernels)."""

from collections.abc import Iterator
from fractions import Fraction

import av

from vdiff_jax.media.filters import run_filters

_BWDIF = [("bwdif", "mode=send_frame:deint=all")]


def deinterlaced(frames: Iterator[av.VideoFrame], time_base: Fraction) -> Iterator[av.VideoFrame]:
    """One progressive picture for each interlaced frame, at the same time."""
    return run_filters(frames, _BWDIF, time_base)
