"""Frames at other times begin when the video does, so that its sound fits."""

from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax.errors import OptionError
from vdiff_jax.media import VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.output import output_info, stamped
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.tasks.request import Request

INFO = VideoInfo(
    width=8, height=8, pixels=PixelFormat(kind="gray"), frames=10, rate=Fraction(25), time_base=Fraction(1, 1000)
)
FRAMES = [Frame((np.zeros((8, 8), np.uint8),), n, 1) for n in range(4)]


def plan(task="interpolate", **wanted):
    clock = {"rate": INFO.rate, "time_base": INFO.time_base}
    return make_plan(task, Request(frames=FRAMES, pixels=INFO.pixels, **clock, **wanted))


@pytest.mark.parametrize("lead", [Fraction(0), Fraction(200, 1000), Fraction(21, 1000)])
@pytest.mark.parametrize("fps", [50, Fraction(60000, 1001)])
def test_the_first_frame_stays_where_it_was_and_the_others_follow_evenly(lead, fps):
    planned = plan(fps=fps)
    info = output_info(INFO, planned, lead)
    assert (info.rate, planned.interval) == (fps, 1000 / Fraction(fps))
    assert [frame.pts * info.time_base for frame in stamped(FRAMES, info, planned, lead)] == [
        lead + Fraction(n) / fps for n in range(4)
    ]


def test_slow_motion_keeps_the_rate():
    # 9 gaps of 4 frames, and the last frame.
    planned = plan(slow=4)
    info = output_info(INFO, planned, Fraction(0))
    assert (info.rate, info.time_base, info.frames, planned.interval) == (25, Fraction(1, 25), 37, 10)


def test_frames_keep_their_times_where_none_are_made():
    planned = plan("denoise", sigma=0)
    assert output_info(INFO, planned, Fraction(1, 3)) == INFO
    assert list(stamped(FRAMES, INFO, planned, Fraction(1, 3))) == FRAMES


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({}, "either --fps"),
        ({"fps": 50, "slow": 2}, "either --fps"),
        ({"slow": 1}, "above 1"),
        ({"fps": 12}, "from the video's 25"),
    ],
)
def test_a_rate_that_makes_no_frames_is_refused(wanted, says):
    with pytest.raises(OptionError, match=says):
        plan(**wanted)


def test_a_rate_is_refused_for_other_tasks():
    with pytest.raises(OptionError, match="fps is an option of interpolate"):
        plan("denoise", fps=50)
