"""Frames at other times begin when the video does, so that its sound fits."""

from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax.media import VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.timing import retiming, stamped

INFO = VideoInfo(
    width=8, height=8, pixels=PixelFormat(kind="gray"), frames=10, rate=Fraction(25), time_base=Fraction(1, 1000)
)


@pytest.mark.parametrize("lead", [Fraction(0), Fraction(200, 1000), Fraction(21, 1000)])
@pytest.mark.parametrize("fps", [50, Fraction(60000, 1001)])
def test_the_first_frame_stays_where_it_was_and_the_others_follow_evenly(lead, fps):
    shown, interval = retiming("interpolate", INFO, fps, None, lead)
    assert (shown.rate, interval) == (fps, 1000 / Fraction(fps))
    frames = stamped([Frame((np.zeros((8, 8)),), n, 1) for n in range(4)], shown, lead)
    assert [frame.pts * shown.time_base for frame in frames] == [lead + Fraction(n) / fps for n in range(4)]


def test_slow_motion_keeps_the_rate():
    shown, interval = retiming("interpolate", INFO, None, 4, Fraction(0))
    assert (shown.rate, shown.time_base, shown.frames, interval) == (25, Fraction(1, 25), 40, 10)
