"""Propagation into holes, in scenes whose hidden part is known. Also tests motion_path.py and camera_motion."""

import itertools

import cv2
import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.analysis import analyse
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


def propagated(clip, masks, pixels=GRAY):
    damaged = [np.where(mask, np.uint8(255), frame) for frame, mask in zip(clip, masks)]
    frames = [Frame((frame,), n, 1) for n, frame in enumerate(damaged)]
    return list(propagate(analyse(frames, masks, pixels, 8), pixels))


def miss(item, truth):
    return np.abs(item.frame.planes[0].astype(float) - truth)[item.mask].mean()


def test_hidden_pixels_come_from_frames_before_or_after(scene):
    clip, mask = pan(scene, 12, 6), logo()
    alone = propagated(clip[:1], [mask])[0]
    items = propagated(clip, [mask] * 12)
    assert miss(alone, clip[0]) > 15
    for n in (0, 5, 11):
        assert miss(items[n], clip[n]) < 3, n
        np.testing.assert_array_equal(items[n].frame.planes[0][~mask], clip[n][~mask])


@pytest.mark.parametrize("speed", [0, 4])
def test_skipping_frames_with_the_same_hole_changes_nothing(scene, speed, monkeypatch):
    clip = pan(scene, 12, speed)
    skipping = propagated(clip, [logo()] * 12)
    monkeypatch.setattr(MotionPath, "has_same_hole", lambda self, distance: False)
    for one, other in zip(skipping, propagated(clip, [logo()] * 12)):
        np.testing.assert_array_equal(one.frame.planes[0], other.frame.planes[0])
        np.testing.assert_array_equal(one.error, other.error)


@pytest.mark.parametrize("speed", [5, 9])
def test_the_expected_error_is_near_the_real_one(scene, speed):
    clip, mask = pan(scene, 12, speed), logo()
    item = propagated(clip, [mask] * 12)[6]
    real = np.sqrt(np.square(item.frame.planes[0].astype(float) - clip[6])[mask].mean())
    expected = 255 * np.sqrt(np.square(item.error[mask]).mean())
    assert 0.6 < expected / real < 1.8
    assert not item.error[~mask].any()


def test_never_shown_pixels_have_a_finite_error_at_the_holes_edge_only(scene):
    item = propagated(pan(scene, 4, 0), [logo()] * 4)[2]
    assert np.isinf(item.error[46:58, 66:78]).all()
    assert np.isfinite(item.error[40:42, 60:84]).all()


def test_points_are_followed_while_the_hole_moves(scene):
    clip = pan(scene, 10, 2)
    masks = [np.roll(logo(20), -8 * n + 30, axis=1) for n in range(10)]
    items = propagated(clip, masks)
    assert max(miss(item, truth) for item, truth in zip(items[1:-1], clip[1:-1])) < 4


def test_nothing_is_propagated_across_a_cut(scene):
    mask, clip = logo(), pan(scene, 6, 6)
    other = [255 - frame for frame in pan(scene[::-1], 6, 6)]
    lone, cut = propagated(clip, [mask] * 6), propagated(clip + other, [mask] * 12)
    assert cut[6].starts_shot
    for one, two in zip(lone, cut):
        np.testing.assert_array_equal(one.frame.planes[0], two.frame.planes[0])


def test_a_frame_without_content_stays_empty(scene):
    clip, masks = pan(scene, 5, 6), [logo()] * 2 + [np.ones(SIZE, bool)] + [logo()] * 2
    items = propagated(clip, masks)
    assert np.isinf(items[2].error).all()
    assert np.isfinite(items[1].error[logo()]).any()
    np.testing.assert_array_equal(items[2].frame.planes[0], 255)


def test_frames_stream_through_in_bounded_memory(scene):
    taken = itertools.count()
    frames = (Frame((scene[:96, :160].astype(np.uint8),), next(taken), 1) for _ in range(90))
    results = propagate(analyse(frames, itertools.repeat(logo()), GRAY, 8), GRAY)
    for _ in range(8):
        next(results)
    assert next(taken) <= 8 + 2 * REACH + 4


def test_the_camera_motion_is_found_beside_another_motion():
    size = (40, 60)
    x, y = np.moveaxis(grid_points(size) / np.array(size[::-1]) - 0.5, -1, 0)
    plane = np.stack([3 + 2 * x - y + x * x + 2 * x * y, -1 + x + y + x * y + 2 * y * y], axis=-1).astype(np.float32)
    field = plane.copy()
    field[10:30, 5:25] += 6
    valid = np.ones(size, np.float32)
    valid[:, 40:45] = 0
    field[:, 40:45] = 99
    assert np.abs(camera_motion(field, valid) - plane).max() < 0.1
    np.testing.assert_array_equal(camera_motion(field, np.zeros(size, np.float32)), 0)
