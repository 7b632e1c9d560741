"""Frames shown more than once: which are left out, and when the others are taken to have been seen."""

import numpy as np
import pytest

from vdiff_jax.pixels import Frame
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.cadence import drop_repeats
from vdiff_jax.stream.flow import FlowFrame


def video(*pictures, cuts=(), step=16):
    """A frame for each number, which says how far a square has come."""
    for n, picture in enumerate(pictures):
        luma = np.zeros((64, 96), np.float32)
        luma[24:40, (step * picture) % 96 : (step * picture) % 96 + 16] = 0.8
        frame = Frame((np.full((2, 2), picture, np.uint8),), 2 * n)
        yield AnalysedFrame(
            frame=frame, mask=None, flow_frame=FlowFrame.from_luma(luma, time=float(n)), starts_shot=n in (0, *cuts)
        )


def kept(items):
    return [(int(i.frame.planes[0][0, 0]), float(i.frame.pts) / 2, i.flow_frame.time) for i in drop_repeats(items)]


def test_pulldown_is_spaced_evenly():
    found = kept(video(0, 0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 8, 9, 10))
    assert [picture for picture, _, _ in found[:8]] == list(range(8))
    assert [pts for _, pts, _ in found[:8]] == [1.25 * n for n in range(8)]
    assert [time for _, _, time in found] == pytest.approx([pts for _, pts, _ in found])


def test_animation_on_twos_keeps_its_times():
    assert kept(video(0, 0, 1, 1, 2, 2, 3)) == [(n, 2.0 * n, 2.0 * n) for n in range(4)]


def test_one_repetition_alone_is_left_out_and_nothing_moves():
    pictures = [0, 1, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert kept(video(*pictures)) == [(p, float(n), float(n)) for n, p in enumerate(pictures) if n != 2]


@pytest.mark.parametrize("pictures", [(0,) * 9, (0, 0, 0), (0, 1, 2, 3), (0, 1, 2, 2)])
def test_still_pictures_and_distinct_frames_are_left_as_they_are(pictures):
    assert kept(video(*pictures)) == [(p, float(n), float(n)) for n, p in enumerate(pictures)]


def test_a_cut_ends_a_round():
    found = kept(video(0, 0, 1, 2, 3, 3, 4, cuts=(3,)))
    assert found == [(p, float(n), float(n)) for n, p in enumerate((0, 0, 1, 2, 3, 3, 4)) if n not in (1, 5)]
