"""Dust whose place is known, and what looks like it: fast objects, shadows, water."""

import cv2
import numpy as np
import pytest

from vdiff_jax.stream.dust import spots

SIZE = (128, 192)
DUST = (slice(60, 68), slice(90, 97))


@pytest.fixture(scope="module")
def scene():
    """A textured scene that does not move, with a little grain of its own in each of 3 frames."""
    rng = np.random.default_rng(1)
    texture = cv2.GaussianBlur(rng.random(SIZE, np.float32), (0, 0), 3)
    texture = 0.6 + 0.06 * (texture - texture.mean()) / texture.std()
    return [texture + rng.normal(0, 0.008, SIZE).astype(np.float32) for _ in range(3)]


def with_object(frames, columns, height=0.35):
    """The frames with an object of 8×7 pixels at a column of its own in each frame; `None` leaves it out."""
    shown = [frame.copy() for frame in frames]
    for frame, column in zip(shown, columns):
        if column is not None:
            frame[60:68, column : column + 7] = frame[60:68, column : column + 7].mean() - height
    return shown


def test_a_spot_of_one_frame_is_found_whole_and_nothing_else(scene):
    found = spots(*with_object(scene, [None, 90, None]))
    assert found[DUST].mean() > 0.95
    found[56:72, 86:101] = False
    assert not found.any()
    assert not spots(*scene).any()


def test_the_soft_edge_of_a_spot_is_a_part_of_it(scene):
    """The edge is too faint to be a candidate itself."""
    soft = [frame.copy() for frame in scene]
    soft[1][58:70, 88:99] -= 0.045
    soft[1][DUST] -= 0.085
    edge = spots(*soft)[58:70, 88:99]
    edge[2:10, 2:9] = False
    assert edge.sum() > 20


def test_an_object_that_flies_through_is_no_dust(scene):
    """It moves by more than twice its size, so the flow does not follow it."""
    assert not spots(*with_object(scene, [72, 90, 108])).any()


def test_an_object_that_comes_into_view_is_no_dust(scene):
    assert not spots(*with_object(scene, [None, 90, 100])).any()


def test_the_edge_of_a_moving_shadow_is_no_dust(scene):
    shaded = [np.where(np.arange(SIZE[1]) < 60 + 9 * n, 0.55, 1).astype(np.float32) * f for n, f in enumerate(scene)]
    assert spots(*shaded).mean() < 0.001


def test_dust_within_a_moving_shadow_is_found(scene):
    shaded = [np.where(np.arange(SIZE[1]) < 110 + 3 * n, 0.7, 1).astype(np.float32) * f for n, f in enumerate(scene)]
    shaded[1][DUST] = 0.9
    assert spots(*shaded)[DUST].mean() > 0.9


def test_glitter_is_no_dust():
    """Each frame of water has other lights."""
    rng = np.random.default_rng(3)
    water = [cv2.GaussianBlur(rng.random(SIZE, np.float32), (0, 0), 1.5) for _ in range(3)]
    assert spots(*(np.clip(0.3 + 4 * (frame - 0.5), 0, 1) for frame in water)).mean() < 0.002
