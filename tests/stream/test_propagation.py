"""What holes hide is brought from where it is seen: scenes whose answer is known."""

import itertools

import cv2
import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.fill_error import weighted_mean
from vdiff_jax.stream.flow import camera_motion
from vdiff_jax.stream.motion_path import MotionPath
from vdiff_jax.stream.propagation import REACH, propagate
from vdiff_jax.stream.warp import grid_points

GRAY = PixelFormat(kind="gray", full_range=True)
SIZE = (96, 160)


@pytest.fixture(scope="module")
def scene():
    coarse = np.random.default_rng(3).random((60, 160), np.float32)
    return 30 + 190 * np.clip(cv2.resize(coarse, (640, 240), interpolation=cv2.INTER_CUBIC), 0, 1)


def pan(scene, count, speed):
    """The camera moves to the right by `speed` pixels a frame."""
    return [scene[:96, speed * n : speed * n + 160].astype(np.uint8) for n in range(count)]


def logo(side=24):
    mask = np.zeros(SIZE, bool)
    mask[40 : 40 + side, 60 : 60 + side] = True
    return mask


def brought(clip, masks, pixels=GRAY):
    damaged = [np.where(mask, np.uint8(255), frame) for frame, mask in zip(clip, masks)]
    frames = [Frame((frame,), n, 1) for n, frame in enumerate(damaged)]
    return list(propagate(analyse(frames, masks, pixels, 8), pixels))


def miss(item, truth):
    return np.abs(item.frame.planes[0].astype(float) - truth)[item.mask].mean()


def test_what_is_hidden_now_was_seen_before_or_will_be(scene):
    clip, mask = pan(scene, 12, 6), logo()
    alone = brought(clip[:1], [mask])[0]
    items = brought(clip, [mask] * 12)
    assert miss(alone, clip[0]) > 15
    for n in (0, 5, 11):
        assert miss(items[n], clip[n]) < 3, n
        np.testing.assert_array_equal(items[n].frame.planes[0][~mask], clip[n][~mask])


@pytest.mark.parametrize("speed", [0, 1, 4])
def test_what_the_same_hole_still_hides_is_not_asked_for_in_vain(scene, speed, monkeypatch):
    clip = pan(scene, 12, speed)
    sparing = brought(clip, [logo()] * 12)
    monkeypatch.setattr(MotionPath, "has_same_hole", lambda self, distance: False)
    for one, other in zip(sparing, brought(clip, [logo()] * 12)):
        np.testing.assert_array_equal(one.frame.planes[0], other.frame.planes[0])
        np.testing.assert_array_equal(one.error, other.error)


def test_the_error_to_expect_is_the_one_that_is_made(scene):
    clip, mask = pan(scene, 12, 6), logo()
    item = brought(clip, [mask] * 12)[5]
    made = np.sqrt(np.square(item.frame.planes[0].astype(float) - clip[5])[mask].mean())
    expected = 255 * np.sqrt(np.square(item.error[mask]).mean())
    assert 1 / 4 < expected / made < 4
    assert not item.error[~mask].any()


def test_of_what_was_never_seen_nothing_is_said_but_at_its_rim(scene):
    item = brought(pan(scene, 4, 0), [logo()] * 4)[2]
    assert np.isinf(item.error[46:58, 66:78]).all()
    assert np.isfinite(item.error[40:42, 60:84]).all()


def test_places_are_followed_through_a_hole_that_walks(scene):
    clip = pan(scene, 10, 2)
    masks = [np.roll(logo(20), -8 * n + 30, axis=1) for n in range(10)]
    items = brought(clip, masks)
    assert max(miss(item, truth) for item, truth in zip(items[1:-1], clip[1:-1])) < 4


def test_another_shot_tells_nothing(scene):
    mask, clip = logo(), pan(scene, 6, 6)
    other = [255 - frame for frame in pan(scene[::-1], 6, 6)]
    lone, cut = brought(clip, [mask] * 6), brought(clip + other, [mask] * 12)
    assert cut[6].starts_shot
    for one, two in zip(lone, cut):
        np.testing.assert_array_equal(one.frame.planes[0], two.frame.planes[0])


def test_a_lost_frame_stays_one_of_which_nothing_is_known(scene):
    clip, masks = pan(scene, 5, 6), [logo()] * 2 + [np.ones(SIZE, bool)] + [logo()] * 2
    items = brought(clip, masks)
    assert np.isinf(items[2].error).all()
    assert np.isfinite(items[1].error[logo()]).any()
    np.testing.assert_array_equal(items[2].frame.planes[0], 255)


def test_frames_stream_through_in_bounded_memory(scene):
    taken = itertools.count()
    frames = (Frame((scene[:96, :160].astype(np.uint8),), next(taken), 1) for _ in range(200))
    results = propagate(analyse(frames, itertools.repeat(logo()), GRAY, 8), GRAY)
    for _ in range(60):
        next(results)
    assert next(taken) <= 60 + 2 * REACH + 4


def test_the_plane_of_an_eight_parameter_motion_is_found_among_others():
    size = (40, 60)
    x, y = np.moveaxis(grid_points(size) / np.array(size[::-1]) - 0.5, -1, 0)
    plane = np.stack([3 + 2 * x - y + x * x + 2 * x * y, -1 + x + y + x * y + 2 * y * y], axis=-1).astype(np.float32)
    field = plane.copy()
    field[10:30, 5:25] += 6
    trusted = np.ones(size, np.float32)
    trusted[:, 40:45] = 0
    field[:, 40:45] = 99
    assert np.abs(camera_motion(field, trusted) - plane).max() < 0.1
    np.testing.assert_array_equal(camera_motion(field, np.zeros(size, np.float32)), 0)


def test_a_guess_that_stands_apart_counts_less_than_its_error_says():
    guesses = [np.full((1, 4), value, np.float32) for value in (0.5, 0.51, 0.9)]
    errors = [np.full(4, 0.02, np.float32)] * 3
    mean, expected = weighted_mean(list(zip(guesses, errors)))
    assert np.all(mean < 0.55)
    agreed, sure = weighted_mean(list(zip(guesses[:2], errors)))
    np.testing.assert_allclose(agreed, 0.505, atol=1e-3)
    assert np.all(sure < expected)
