import dataclasses

import cv2
import numpy as np
import pytest

from vdiff_jax.errors import StitchError
from vdiff_jax.stitching import bundle_adjustment, calibration, features, moving_rig
from vdiff_jax.stitching.features import Matches, corners, project

NAMES = ["input 1", "input 2", "input 3"]


def _corner_error(rig, found, size) -> np.ndarray:
    frame = corners(*size)
    estimated = np.linalg.solve(found.homographies[0, 0], found.homographies[0, 1])
    return np.linalg.norm(project(rig.across(0, 1), frame) - project(estimated, frame), axis=1)


def test_homography_is_found_to_a_sixth_of_a_pixel(rig):
    found = calibration.calibrate([list(clip[::7]) for clip in rig.clips], NAMES)
    assert np.median(_corner_error(rig, found, (300, 216))) < 0.15
    assert found.pairs[0]["overlap"] == pytest.approx(0.4, abs=0.06)


def test_more_frames_and_all_pairs_do_not_move_a_perfect_rig():
    truth = [np.eye(3), np.array([[1.02, 0.01, 90], [-0.02, 0.99, 4], [1e-5, 2e-5, 1]])]
    truth.append(truth[1] @ np.array([[0.98, 0.03, 85], [0.01, 1.01, -6], [-2e-5, 1e-5, 1]]))
    rng = np.random.default_rng(0)
    matches = []
    for first, second in ((0, 1), (1, 2), (0, 2)):
        across = np.linalg.solve(truth[second], truth[first])
        points = rng.uniform([0, 0], [300, 200], (120, 2))
        noise = rng.normal(0, 0.2, (120, 2))
        others = project(across, points) + noise
        others[:6] += 40  # wrong matches
        matches.append(
            Matches(first=first, second=second, points=points, others=others, homography=across, candidates=120)
        )
    start = np.stack(truth) + np.array([[0, 0, 3.0], [0, 0, -2], [0, 0, 0]]) * np.array([0, 1, 1])[:, None, None]
    found, rms = bundle_adjustment.adjust(start, matches, 0, 300.0)
    for index in (1, 2):
        away = project(found[index], corners(300, 200)) - project(truth[index], corners(300, 200))
        assert np.abs(away).max() < 0.5
    assert 0.15 < rms < 0.8


def test_the_derivative_is_the_residuals_own():
    across = np.array([[1.02, 0.01, 90], [-0.02, 0.99, 4], [1e-5, 2e-5, 1]])
    points = np.random.default_rng(0).uniform([0, 0], [300, 200], (20, 2))
    pair = Matches(
        first=0, second=1, points=points, others=points + 3.0, homography=across, candidates=20
    )  # fmt: skip

    def unpack(parameters):
        scale = np.array([1, 1, 100, 1, 1, 100, 1e-3, 1e-3, 1]).reshape(3, 3)
        return np.stack([np.eye(3), np.linalg.inv(across) + scale * np.append(parameters, 0).reshape(3, 3)])

    at, step = np.linspace(-0.01, 0.02, 8), 1e-5
    found = bundle_adjustment.slopes(unpack, at, [pair])
    for column, way in enumerate(np.eye(8) * step):
        ends = [bundle_adjustment.residuals(unpack(at + sign * way), [pair]) for sign in (1, -1)]
        np.testing.assert_allclose(found[:, column], (ends[0] - ends[1]) / (2 * step), rtol=1e-4, atol=1e-3)


def test_turning_cameras_give_their_focal_length():
    focal, size = 260.0, (320, 240)
    inner = bundle_adjustment.intrinsic(focal, size)
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
    found = calibration.from_matches(matches, (size,) * 3)
    assert found.turning
    assert found.reference == 1
    assert found.focal == pytest.approx(focal, rel=0.01)


def test_a_long_lens_hides_neither_its_focal_length_nor_the_far_corners():
    """Focal length and angle can hardly be told apart there: what the picture moves by can."""
    focal, size = 4000.0, (320, 240)
    inner = bundle_adjustment.intrinsic(focal, size)
    turn = cv2.Rodrigues(np.deg2rad(np.array([0.32, 3.2, 0.5])))[0]
    across = inner @ turn.T @ np.linalg.inv(inner)
    rng = np.random.default_rng(1)
    points = rng.uniform([230, 0], [319, 239], (200, 2))
    others = project(across, points) + rng.normal(0, 0.1, points.shape)
    pair = Matches(first=0, second=1, points=points, others=others, homography=across, candidates=200)
    start = bundle_adjustment.chain([pair], 0, 2)
    found, focals, _ = bundle_adjustment.adjust_rotations(start, [pair], 0, [size] * 2)
    np.testing.assert_allclose(focals, focal, rtol=0.15)
    apart = project(found[1], corners(*size)) - project(np.linalg.inv(across), corners(*size))
    assert np.linalg.norm(apart, axis=1).max() < 0.5


def test_json_gives_the_same_rig_back(rig, tmp_path):
    found = calibration.calibrate([list(clip[:1]) for clip in rig.clips], NAMES)
    found = dataclasses.replace(found, offsets=np.array([0, 0.16]), gains=np.array([[1, 1, 1], [1.25, 1.2, 1.1]]))
    found.save(tmp_path / "rig.json")
    loaded = calibration.load(tmp_path / "rig.json")
    for field in dataclasses.fields(found):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(found, field.name))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version": 7}', '{"version": 1, "sizes": [[1, 2]]}'])
def test_a_file_that_is_no_calibration_is_named(tmp_path, text):
    (tmp_path / "rig.json").write_text(text)
    with pytest.raises(StitchError, match=r"rig\.json"):
        calibration.load(tmp_path / "rig.json")
    with pytest.raises(StitchError, match="no such file"):
        calibration.load(tmp_path / "missing.json")


def test_a_calibration_of_other_cameras_is_refused(rig):
    found = calibration.calibrate([list(clip[:1]) for clip in rig.clips], NAMES)
    with pytest.raises(StitchError, match="same order"):
        calibration.check_fits(found, [(300, 216), (640, 360)])


def test_unusable_inputs_are_named_with_the_reason(rig, wide):
    view = list(rig.clips[0][:1])
    black = [np.zeros_like(view[0])]
    flat = [np.full_like(view[0], 128)]
    rng = np.random.default_rng(0)
    other = cv2.GaussianBlur(rng.uniform(0, 255, view[0].shape), (0, 0), 2.0)
    other = np.clip((other - 127) * 4 + 127, 0, 255).astype(np.uint8)
    other = [other]
    with pytest.raises(StitchError, match="input 2 is black"):
        calibration.calibrate([view, black], NAMES)
    with pytest.raises(StitchError, match="input 2 has too little detail"):
        calibration.calibrate([view, flat], NAMES)
    with pytest.raises(StitchError, match="input 1 and input 2 don't overlap enough"):
        calibration.calibrate([view, other], NAMES)
    with pytest.raises(StitchError, match="input 1 and input 2 show the same view"):
        calibration.calibrate([view, view], NAMES)
    with pytest.raises(StitchError, match=r"input [12] and input 3 don't"):
        calibration.calibrate([view, list(rig.clips[1][:1]), other], NAMES)


def test_a_camera_on_its_side_is_matched(rig):
    turned = list(np.ascontiguousarray(np.rot90(rig.clips[1][:2], axes=(1, 2))))
    found = calibration.calibrate([list(rig.clips[0][4:6]), turned], NAMES)
    width, height = 300, 216
    # A pixel (x, y) of the turned picture is pixel (width - 1 - y, x) of the upright one.
    back = np.array([[0, -1, width - 1], [1, 0, 0], [0, 0, 1.0]])
    truth = rig.across(0, 1) @ back
    frame = corners(height, width)
    estimated = np.linalg.solve(found.homographies[0, 0], found.homographies[0, 1])
    assert np.median(np.linalg.norm(project(truth, frame) - project(estimated, frame), axis=1)) < 0.3


def test_a_faint_noisy_scene_is_looked_at_again(wide, cameras):
    left, right, shoot = cameras
    rng = np.random.default_rng(0)
    views = []
    for camera in (left, right):
        faint = 125 + (shoot(wide[:12], camera) - 125.0) * 0.15
        views.append(list(np.clip(np.rint(faint + rng.normal(0, 3, faint.shape)), 0, 255).astype(np.uint8)))
    assert calibration.all_pairs(calibration.detect_all(views)) == []
    found = calibration.calibrate(views, NAMES)
    across = np.linalg.solve(found.homographies[0, 0], found.homographies[0, 1])
    frame = corners(300, 216)
    apart = project(across, frame) - project(np.linalg.solve(left, right), frame)
    assert np.median(np.linalg.norm(apart, axis=1)) < 0.5


def test_where_features_say_too_little_the_pictures_go_on_from_what_is_known(rig):
    """A geometry that is two pixels off, and not a match."""
    views = [list(rig.clips[0][4:20:6]), list(rig.clips[1][0:16:6])]
    truth = np.linalg.solve(rig.homographies[0], np.stack(rig.homographies))
    wrong = truth.copy()
    wrong[1, :2, 2] += [1.5, -1.2]
    matches = [Matches(first=0, second=1, points=np.array([[200.0, 100]]), others=np.array([[20.0, 100]]),
                       homography=np.linalg.inv(truth[1]), candidates=1)]  # fmt: skip
    near = dataclasses.replace(calibration.from_matches(matches, ((300, 216),) * 2), homographies=wrong[None])
    unknown = [features.unknown(0, 1)]
    found = calibration.refined(near, unknown, views)
    assert np.median(_corner_error(rig, found, (300, 216))) < 0.15 < np.median(_corner_error(rig, near, (300, 216)))
    flat = [[np.full_like(frame, 90) for frame in view] for view in views]
    assert calibration.refined(near, unknown, flat) is near


def test_implausible_homographies_are_refused():
    points = np.array([[10.0, 10], [200, 20], [150, 180]])
    assert features.plausible(np.eye(3) * -2, points)
    assert not features.plausible(np.diag([-1.0, 1, 1]), points)
    assert not features.plausible(np.diag([9.0, 9, 1]), points)
    assert not features.plausible(np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]]), points)


def test_smoothing_keeps_a_steady_path_and_calms_a_shaky_one():
    steady = np.tile(np.eye(3), (12, 1, 1, 1))
    steady[:, 0, 0, 2] = 10.0
    np.testing.assert_allclose(moving_rig.smooth(steady, [(300, 200)], 1.5), steady, atol=1e-3)
    shaky = steady.copy()
    shaky[:, 0, 0, 2] += np.random.default_rng(0).normal(0, 1, 12)
    calmed = moving_rig.smooth(shaky, [(300, 200)], 1.5)
    assert np.diff(calmed[:, 0, 0, 2], 2).std() < 0.3 * np.diff(shaky[:, 0, 0, 2], 2).std()


def test_a_fast_pan_is_no_leap_and_a_leap_is_put_back():
    pan = np.tile(np.eye(3), (9, 1, 1, 1))
    pan[:, 0, 0, 2] = 12.0 * np.arange(9)
    np.testing.assert_allclose(moving_rig.smooth(pan, [(300, 200)], 1.0), pan, atol=1e-3)
    leaping = pan.copy()
    leaping[4, 0, 1, 2] += 30
    np.testing.assert_allclose(moving_rig.smooth(leaping, [(300, 200)], 1.0), pan, atol=1e-3)


def test_a_path_goes_on_past_its_last_key_moment(rig):
    found = calibration.calibrate([list(clip[:1]) for clip in rig.clips], NAMES)
    ends = np.stack([found.homographies[0], found.homographies[0] + np.eye(3)])
    moving = dataclasses.replace(found, homographies=ends, times=np.array([0.0, 0.2]))
    np.testing.assert_allclose(moving.at(0.3), ends[0] + 1.5 * np.eye(3))
    np.testing.assert_allclose(moving.at(9.0), ends[0] + 2 * np.eye(3))
    np.testing.assert_array_equal(found.at(9.0), found.homographies[0])
