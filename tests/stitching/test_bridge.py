"""Frames between two: motion where the two match, a dissolve where they do not."""

import cv2
import numpy as np

from vdiff_jax.stitching import bridge


def test_a_flow_bridge_moves_moving_things():
    rng = np.random.default_rng(0)
    picture = np.repeat(np.repeat(rng.integers(30, 220, (30, 40, 3)), 4, axis=0), 4, axis=1).astype(np.uint8)
    first, second = picture[:, :140], picture[:, 8:148]
    middle = bridge.flow_bridge(np.ascontiguousarray(first), np.ascontiguousarray(second), 1)[0]
    inner = (slice(16, -16), slice(24, -24))
    moved = np.abs(middle[inner].astype(int) - picture[:, 4:144][inner]).mean()
    faded = np.abs((first[inner].astype(int) + second[inner]) // 2 - picture[:, 4:144][inner]).mean()
    assert moved < 0.4 * faded


def scenes():
    """Two pictures of different things, one darker than the other."""
    noise = np.random.default_rng(1).random((2, 135, 240, 3), np.float32)
    smooth = [cv2.GaussianBlur(picture, (0, 0), 2) for picture in noise]
    return [np.rint(low + 120 * (p - p.min()) / np.ptp(p)).astype(np.uint8) for p, low in zip(smooth, (0, 130))]


def test_different_scenes_dissolve():
    first, second = scenes()
    for share, frame in zip((0.25, 0.5, 0.75), bridge.flow_bridge(first, second, 3)):
        dissolved = first + share * (second.astype(float) - first)
        assert np.abs(frame - dissolved).max() <= 1


def test_a_made_frame_is_kept_only_where_the_two_match():
    first, second = scenes()
    second[:, :120] = first[:, :120]
    (frame,) = bridge.dissolve_where_unlike(first, second, [np.full_like(first, 200)])
    np.testing.assert_array_equal(frame[:, :80], 200)
    dissolved = first[:, 200:] / 2 + second[:, 200:] / 2
    assert np.abs(frame[:, 200:] - dissolved).max() <= 2
