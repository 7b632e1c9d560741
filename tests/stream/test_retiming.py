"""Frames at other times: which are shown, where the others lie, what happens at cuts."""

from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax.pixels import Frame
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.flow import FlowFrame
from vdiff_jax.stream.retiming import retime


def video(*pts, cuts=()):
    for n, time in enumerate(pts):
        plane = np.full((16, 16), n, np.uint8)
        seen = FlowFrame.from_luma(plane.astype(np.float32), time=float(n))
        yield AnalysedFrame(frame=Frame((plane,), time), mask=None, flow_frame=seen, starts_shot=n in (0, *cuts))


def shown(items):
    return [
        (round(item.flow_frame.time, 3), item.has_content, int(item.frame.planes[0][0, 0]))
        for item in items
        if item.shown
    ]


def test_twice_the_rate():
    items = list(retime(video(0, 2, 4), Fraction(1)))
    assert [item.frame.pts for item in items] == [0, 1, 2, 3, 4]
    assert [item.has_content for item in items] == [True, False, True, False, True]
    assert [item.flow_frame.time for item in items] == [0, 0.5, 1, 1.5, 2]
    assert items[1].following.frame.planes[0][0, 0] == 1


def test_film_to_sixty_keeps_every_second_frame_and_learns_from_the_others():
    items = list(retime(video(0, 5, 10), Fraction(2)))
    assert [round(item.flow_frame.time, 3) for item in items if item.shown] == [0, 0.4, 0.8, 1.2, 1.6, 2]
    assert [item.flow_frame.time for item in items if item.has_content] == [0, 1, 2]
    assert [item.flow_frame.time for item in items if not item.shown] == [1]


def test_rounded_time_stamps_are_the_frames_own():
    items = list(retime(video(0, 42, 83, 125), Fraction(1000, 48)))
    assert [item.has_content for item in items] == [True, False] * 3 + [True]
    assert all(item.shown for item in items)


def test_uneven_time_stamps_are_honoured():
    assert [t for t, _, _ in shown(retime(video(0, 10, 40), Fraction(10)))] == [0, 1, 1.333, 1.667, 2]


def test_a_frame_after_a_long_gap_is_not_moved():
    """A twentieth of the gap would be 21 ms."""
    *before, last, after, end = retime(video(0, 430, 450), Fraction(20))
    assert (last.shown, last.frame.pts, last.flow_frame.time) == (False, 22, 1)
    assert before[-1].flow_frame.time == pytest.approx(420 / 430)
    assert (after.shown, after.has_content, after.frame.pts) == (True, False, 22)
    assert not end.shown


def test_nothing_is_made_over_a_cut():
    items = list(retime(video(0, 4, 8, cuts=(1,)), Fraction(1)))
    assert [picture for _, _, picture in shown(items)] == [0, 0, 0, 1, 1, 1, 1, 1, 2]
    assert [item.starts_shot for item in items] == [True, False, False, True, False] + [False] * 4
    assert all(item.has_content for item in items[:5])


@pytest.mark.parametrize("pts", [(0,), (7,)])
def test_one_frame_is_one_frame(pts):
    assert len(list(retime(video(*pts), Fraction(1, 2)))) == 1
