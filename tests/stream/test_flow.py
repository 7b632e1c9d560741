"""Motion between frames: known displacements of known pictures, and of what lies between two frames."""

import cv2
import numpy as np
import pytest

from vdiff_jax.stream.flow import FlowFrame, MotionMeter, simplest_motion
from vdiff_jax.stream.midway import best_explained, between
from vdiff_jax.stream.velocity import velocity
from vdiff_jax.stream.warp import inverted, warp


@pytest.fixture(scope="module")
def picture():
    coarse = np.random.default_rng(0).random((40, 60), np.float32)
    return cv2.resize(coarse, (320, 200), interpolation=cv2.INTER_CUBIC)


def shifted(picture, pixels, *, time):
    return FlowFrame.from_luma(np.ascontiguousarray(np.roll(picture, pixels, axis=1)), time=time)


def middle(field):
    return np.median(field[8:-8, 12:-12], axis=(0, 1))


def test_velocity_points_to_both_neighbours(picture):
    frames = [shifted(picture, 6 * n, time=n) for n in range(3)]
    field = velocity(frames)
    np.testing.assert_allclose(middle(field[1]), [-6, 0, 6, 0], atol=0.3)
    np.testing.assert_array_equal(field[0, ..., :2], 0)
    np.testing.assert_array_equal(field[2, ..., 2:], 0)


def test_neighbours_outside_the_clip_count(picture):
    frame, before, after = (shifted(picture, 4 * n, time=n) for n in (1, 0, 2))
    np.testing.assert_allclose(middle(velocity([frame], before=before, after=after)[0]), [-4, 0, 4, 0], atol=0.3)


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_a_frame_that_holds_nothing_lies_between_its_neighbours(picture, share):
    first, last = shifted(picture, 0, time=0), shifted(picture, 8, time=1)
    nothing = FlowFrame(None, None, share, first.size)
    field = velocity([first, nothing, last])
    np.testing.assert_allclose(middle(field[1]), [-8 * share, 0, 8 * (1 - share), 0], atol=0.4)
    np.testing.assert_allclose(middle(field[2]), [-8, 0, 0, 0], atol=0.4)


def test_across_a_frame_that_holds_nothing_motion_is_measured_finely(picture):
    first, last = shifted(picture, 0, time=0), shifted(picture, 8, time=1)
    nothing = FlowFrame(None, None, 0.5, first.size)
    meter = MotionMeter()
    coarse, fine = (meter.displacement(first, last, fine=fine) for fine in (False, True))
    assert np.abs(coarse - fine).max() > 0
    fields = [velocity(frames)[0, ..., 2:] for frames in ([first, last], [first, nothing, last])]
    for made, measured in zip(fields, (coarse, fine)):
        np.testing.assert_allclose(made, simplest_motion(first, last, measured), atol=1 / 128)
        assert made.dtype == np.float32
        assert not (made % (1 / 64)).any()


def noisy(frames):
    rng = np.random.default_rng(1)
    return [
        FlowFrame.from_luma(f + rng.normal(0, 0.1, f.shape).astype(np.float32), time=n) for n, f in enumerate(frames)
    ]


def test_under_noise_what_stands_still_has_no_motion(picture):
    here, there = noisy([picture, picture])
    found = MotionMeter().displacement(here, there)
    field = velocity([here, there])[0, ..., 2:]
    assert (found == 0).mean() < 0.05 < 0.7 < (field == 0).mean()
    assert np.abs(field).mean() < 0.2 * np.abs(found).mean()


def test_under_noise_a_camera_moves_all_alike(picture):
    pan = noisy([np.ascontiguousarray(picture[:, 5 * n : 5 * n + 280]) for n in range(2)])
    field = velocity(pan)[0, 8:-8, 12:-12, 2:]
    found = MotionMeter().displacement(*pan)[8:-8, 12:-12]
    np.testing.assert_allclose(np.median(field, axis=(0, 1)), [-5, 0], atol=0.3)
    assert np.abs(np.diff(field, axis=0)).mean() < 0.5 * np.abs(np.diff(found, axis=0)).mean()


def test_what_moves_on_its_own_keeps_its_motion(picture):
    frames = [picture.copy() for _ in range(2)]
    for n, frame in enumerate(frames):
        frame[60:140, 100 + 8 * n : 180 + 8 * n] = picture[:80, 200:280]
    field = velocity(noisy(frames))[0, ..., 2:]
    np.testing.assert_allclose(np.median(field[18:32, 28:42], axis=(0, 1)), [8, 0], atol=0.5)
    assert np.abs(field[:10]).max() < 0.3


def test_what_moves_is_carried_to_where_it_is_between():
    forward = np.zeros((20, 40, 2), np.float32)
    forward[5:15, 4:14, 0] = 64
    backward = np.zeros_like(forward)
    backward[5:15, 20:30, 0] = -64
    field = between(forward, backward, 0.5)
    assert field[8:12, 14:20, 0].min() > 60
    assert np.abs(field[8:12, 34:]).max() < 1e-3
    assert np.abs(field[:4]).max() < 1e-3


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_the_motion_that_explains_a_place_far_better_is_taken_there(picture, share):
    first, last = shifted(picture, 0, time=0), shifted(picture, 8, time=1)
    right = np.full((50, 80, 2), (8, 0), np.float32)
    wrong = right.copy()
    wrong[:, 40:] = [-4, 4]
    field = best_explained(first, last, (wrong, right), share)
    np.testing.assert_array_equal(field[4:-4, 8:-8], right[4:-4, 8:-8])


def test_among_motions_that_explain_a_place_alike_the_first_is_kept():
    flat = FlowFrame.from_luma(np.full((200, 320), 0.5, np.float32), time=0)
    fields = tuple(np.full((50, 80, 2), n, np.float32) for n in (4, 8))
    np.testing.assert_array_equal(best_explained(flat, flat, fields, 0.5), fields[0])


def test_a_frame_that_is_masked_throughout_holds_nothing(picture):
    assert FlowFrame.from_luma(picture, np.zeros_like(picture), time=0).small is None


def test_there_and_back_along_displacements_leads_to_where_one_began():
    random = np.random.default_rng(3).normal(size=(5, 7, 2)).astype(np.float32)
    there = np.float32([6, -4]) + cv2.resize(random, (140, 100), interpolation=cv2.INTER_CUBIC)
    back = inverted(there)
    missed = [np.linalg.norm(end, axis=-1)[12:-12, 12:-12] for end in (back + warp(there, back), there + back)]
    assert missed[0].max() < 0.1 < np.median(missed[1])
