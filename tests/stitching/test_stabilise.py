import itertools

import cv2
import numpy as np
import pytest

from vdiff_jax.stitching import features, panorama, stabilise
from vdiff_jax.stitching.source import open_sources

RATE = 20.0


@pytest.mark.parametrize("scale", [1.0, 2.0])
def test_the_motion_of_most_points_is_found_despite_a_passing_thing(wide, scale):
    turn = cv2.getRotationMatrix2D((260, 130), 1.5, 1.02)
    turn[:, 2] += [5, -3]
    grey = cv2.cvtColor(wide[0], cv2.COLOR_RGB2GRAY)
    moved = cv2.warpAffine(grey, turn, grey.shape[::-1], borderMode=cv2.BORDER_REFLECT)
    moved[60:130, 100:200] = 200
    found = stabilise.frame_motion(grey, moved, scale)
    away = np.diag([scale, scale, 1.0])
    truth = away @ np.linalg.inv(np.vstack([turn, [0, 0, 1]])) @ np.linalg.inv(away)
    frame = features.corners(520, 260) * scale
    apart = features.project(found, frame) - features.project(truth, frame)
    assert np.abs(apart).max() < 0.7 * scale
    cut = np.random.default_rng(0).integers(0, 255, grey.shape).astype(np.uint8)
    np.testing.assert_array_equal(stabilise.frame_motion(grey, cut, scale), np.eye(3))


def _carried(wide, cameras, path) -> list:
    left, right, shoot = cameras
    moved = [np.array([[np.cos(a), -np.sin(a), x], [np.sin(a), np.cos(a), y], [0, 0, 1]]) for x, y, a in path]
    return [
        np.concatenate([shoot(frame[None], shift @ pose) for frame, shift in zip(wide, moved)])
        for pose in (left, right)
    ]


def _shake(clip) -> float:
    """The mean change of the picture's velocity from frame to frame, in pixels."""
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[40:180] for frame in clip]
    steps = [stabilise.frame_motion(one, other, 1.0)[:2, 2] for one, other in itertools.pairwise(greys)]
    return float(np.linalg.norm(np.diff(steps, axis=0), axis=1).mean())


def test_a_carried_rig_yields_a_stable_panorama(wide, cameras):
    """Both cameras shake and drift together; the drift remains."""
    rng = np.random.default_rng(2)
    path = cv2.GaussianBlur(rng.normal(0, 1, (24, 3)), (1, 3), 0) * [6, 4, 0.004]
    path[:, 0] += 0.8 * np.arange(24)
    clips = _carried(wide, cameras, path)
    made = panorama.Panorama(open_sources(clips, [RATE, RATE]), panorama.PanoramaOptions(crop=True, steady=True))
    frames = list(made.frames())
    shake = made.report["shake_pixels"]
    assert shake["after"] < 0.1 * shake["before"]
    assert _shake(frames) < 0.3 * _shake(clips[0])
    assert len(made.report["inputs"][0]["segments"]) == 24
    # A dark edge may ring down to black in single pixels; unseen pixels would form a wedge.
    assert max((frame.max(axis=-1) == 0).mean() for frame in frames) < 1e-4


def test_a_rig_on_a_stand_is_not_stabilised(rig, estimated):
    clips = [clip[-16:] for clip in rig.clips]
    assert stabilise.stabilise(open_sources(clips, [RATE, RATE]), estimated) is estimated


def test_a_carried_rig_keeps_one_geometry_unless_stabilising_is_asked_for(wide, cameras):
    path = cv2.GaussianBlur(np.random.default_rng(2).normal(0, 1, (16, 3)), (1, 3), 0) * [6, 4, 0]
    clips = _carried(wide, cameras, path)
    made = panorama.Panorama(open_sources(clips, [RATE, RATE]), panorama.PanoramaOptions())
    assert "shake_pixels" not in made.report
    assert "segments" not in made.report["inputs"][0]
    assert made.calibration.homographies.shape[0] == 1
