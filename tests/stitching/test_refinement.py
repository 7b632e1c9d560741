import cv2
import numpy as np
import pytest

from vdiff_jax.stitching import camera_estimation, refinement
from vdiff_jax.stitching.features import Matches, corners, project


def _rough(across) -> Matches:
    """Matches as features give them: right to a third of a pixel."""
    rng = np.random.default_rng(0)
    points = rng.uniform([190, 20], [290, 190], (60, 2))
    others = project(across, points) + rng.normal(0, 0.35, points.shape)
    return Matches(first=0, second=1, points=points, others=others, homography=across, candidates=60)


@pytest.mark.parametrize("gain", [1.0, 0.6, 1.5])
def test_refined_matches_are_exact_at_any_exposure(rig, wide, cameras, gain):
    """It starts from a geometry that is wrong by two pixels; at a gain of 1.5 the camera clips."""
    left, right, shoot = cameras
    moments = list(zip(shoot(wide[4:20:5], left), shoot(wide[4:20:5], right, gain)))
    truth = rig.across(1, 0)
    wrong = np.array([[1, 0.004, 1.5], [-0.004, 1, -1.2], [0, 0, 1]]) @ truth
    found = refinement.refine_matches(_rough(truth), wrong, moments)
    assert len(found.points) > 200
    assert np.median(np.abs(project(truth, found.points) - found.others)) < 0.06

    sizes = ((300, 216), (300, 216))
    errors = []
    for matches in (_rough(truth), found):
        bent = camera_estimation.fit_geometry([matches], sizes).homographies[0]
        apart = project(np.linalg.solve(bent[0], bent[1]), corners(300, 216)) - project(
            np.linalg.inv(truth), corners(300, 216)
        )
        errors.append(np.linalg.norm(apart, axis=1).mean())
    assert errors[1] < 0.4 * errors[0]


def test_noise_does_not_count_as_motion_of_the_camera(wide, cameras):
    left, _right, shoot = cameras
    rng = np.random.default_rng(1)
    clean = shoot(wide[:6], left).astype(float)
    noisy = np.clip(clean + rng.normal(0, 25, clean.shape), 0, 255).astype(np.uint8)
    kept = refinement.static_background(list(noisy))
    assert kept is not None
    assert np.mean((kept - clean[0]) ** 2) < 0.4 * np.mean((noisy[0] - clean[0]) ** 2)
    panned = [np.roll(frame, 2 * n, axis=1) for n, frame in enumerate(noisy)]
    assert refinement.static_background(panned) is None


def test_matches_stay_unchanged_where_there_is_too_little_to_compare(rig):
    flat = np.full((216, 300, 3), 90, np.uint8)
    matches = _rough(rig.across(1, 0))
    assert refinement.refine_matches(matches, matches.homography, [(flat, flat)]) is matches
    apart = np.array([[1, 0, 900.0], [0, 1, 0], [0, 0, 1]])
    assert refinement.refine_matches(matches, apart, [(rig.clips[0][0], rig.clips[1][0])]) is matches


def test_areas_clipped_in_one_camera_do_not_bias_the_matches():
    """A bright area that only one camera clips has its edge elsewhere there."""
    base = cv2.GaussianBlur(np.random.default_rng(0).uniform(0, 255, (216, 300, 3)), (0, 0), 3)
    base = np.clip((base - 127) * 5 + 150, 0, 255)
    one, other = (np.rint(np.clip(base * gain, 0, 255)).astype(np.uint8) for gain in (0.6, 1.4))
    found = refinement.refine_matches(_rough(np.eye(3)), np.eye(3), [(one, other)])
    assert np.quantile(np.abs(found.points - found.others), 0.9) < 0.1
