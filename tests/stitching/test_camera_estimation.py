import dataclasses

import cv2
import numpy as np
import pytest

from vdiff_jax.errors import StitchError
from vdiff_jax.stitching import bundle_adjustment, camera_estimation, features
from vdiff_jax.stitching.features import Matches, corners, project

NAMES = ["input 1", "input 2", "input 3"]


def _corner_error(rig, found, size) -> np.ndarray:
    frame = corners(*size)
    estimated = np.linalg.solve(found.homographies[0, 0], found.homographies[0, 1])
    return np.linalg.norm(project(rig.across(0, 1), frame) - project(estimated, frame), axis=1)


def test_the_homography_is_found_to_a_sixth_of_a_pixel(rig, estimated):
    assert np.median(_corner_error(rig, estimated, (300, 216))) < 0.15
    assert estimated.pairs[0]["overlap"] == pytest.approx(0.4, abs=0.06)


def test_rotating_cameras_yield_their_focal_length():
    focal, size = 260.0, (320, 240)
    inner = bundle_adjustment.camera_matrix(focal, size)
    turns = [cv2.Rodrigues(np.deg2rad(np.array([tilt, yaw, 0.5])))[0] for tilt, yaw in ((0, 0), (2, 32), (-3, 63))]
    truth = np.stack([inner @ turn @ np.linalg.inv(inner) for turn in turns])
    rng = np.random.default_rng(1)
    matches = []
    for first, second in ((0, 1), (1, 2)):
        across = np.linalg.solve(truth[second], truth[first])
        points = rng.uniform([190, 0], [319, 239], (200, 2))
        others = project(across, points) + rng.normal(0, 0.1, points.shape)
        matches.append(
            Matches(first=first, second=second, points=points, others=others, homography=across, candidates=200)
        )
    found = camera_estimation.fit_geometry(matches, (size,) * 3)
    assert found.turning
    assert found.reference == 1
    assert found.focal == pytest.approx(focal, rel=0.01)


def test_errors_name_unusable_inputs_and_the_reason(rig):
    view = list(rig.clips[0][:1])
    black = [np.zeros_like(view[0])]
    flat = [np.full_like(view[0], 128)]
    rng = np.random.default_rng(0)
    other = cv2.GaussianBlur(rng.uniform(0, 255, view[0].shape), (0, 0), 2.0)
    other = np.clip((other - 127) * 4 + 127, 0, 255).astype(np.uint8)
    other = [other]
    with pytest.raises(StitchError, match="input 2 is black"):
        camera_estimation.estimate_cameras([view, black], NAMES)
    with pytest.raises(StitchError, match="input 2 has too little detail"):
        camera_estimation.estimate_cameras([view, flat], NAMES)
    with pytest.raises(StitchError, match="input 1 and input 2 do not overlap enough"):
        camera_estimation.estimate_cameras([view, other], NAMES)
    with pytest.raises(StitchError, match="input 1 and input 2 show the same view"):
        camera_estimation.estimate_cameras([view, view], NAMES)
    with pytest.raises(StitchError, match=r"input [12] and input 3 do not"):
        camera_estimation.estimate_cameras([view, list(rig.clips[1][:1]), other], NAMES)


def test_a_camera_on_its_side_is_matched(rig):
    turned = list(np.ascontiguousarray(np.rot90(rig.clips[1][:2], axes=(1, 2))))
    found = camera_estimation.estimate_cameras([list(rig.clips[0][4:6]), turned], NAMES)
    width, height = 300, 216
    # A pixel (x, y) of the turned picture is pixel (width - 1 - y, x) of the upright one.
    back = np.array([[0, -1, width - 1], [1, 0, 0], [0, 0, 1.0]])
    truth = rig.across(0, 1) @ back
    frame = corners(height, width)
    estimated = np.linalg.solve(found.homographies[0, 0], found.homographies[0, 1])
    assert np.median(np.linalg.norm(project(truth, frame) - project(estimated, frame), axis=1)) < 0.3


def test_a_faint_noisy_scene_is_matched_by_its_averaged_background(wide, cameras):
    left, right, shoot = cameras
    rng = np.random.default_rng(0)
    views = []
    for camera in (left, right):
        faint = 125 + (shoot(wide[:12], camera) - 125.0) * 0.15
        views.append(list(np.clip(np.rint(faint + rng.normal(0, 3, faint.shape)), 0, 255).astype(np.uint8)))
    assert camera_estimation.match_all(camera_estimation.detect_all(views)) == []
    found = camera_estimation.estimate_cameras(views, NAMES)
    across = np.linalg.solve(found.homographies[0, 0], found.homographies[0, 1])
    frame = corners(300, 216)
    apart = project(across, frame) - project(np.linalg.solve(left, right), frame)
    assert np.median(np.linalg.norm(apart, axis=1)) < 0.5


def test_geometry_is_refined_by_the_pictures_alone_where_features_do_not_match(rig):
    """It starts two pixels off, without a single match. Pictures without detail leave it unchanged."""
    views = [list(rig.clips[0][4:20:6]), list(rig.clips[1][0:16:6])]
    truth = np.linalg.solve(rig.homographies[0], np.stack(rig.homographies))
    start = truth.copy()
    start[1, :2, 2] += [1.5, -1.2]
    matches = [Matches(first=0, second=1, points=np.array([[200.0, 100]]), others=np.array([[20.0, 100]]),
                       homography=np.linalg.inv(truth[1]), candidates=1)]  # fmt: skip
    near = dataclasses.replace(camera_estimation.fit_geometry(matches, ((300, 216),) * 2), homographies=start[None])
    empty = [features.without_matches(0, 1)]
    found = camera_estimation.refine_geometry(near, empty, views)
    assert np.median(_corner_error(rig, found, (300, 216))) < 0.15 < np.median(_corner_error(rig, near, (300, 216)))
    flat = [[np.full_like(frame, 90) for frame in view] for view in views]
    assert camera_estimation.refine_geometry(near, empty, flat) is near
