import cv2
import numpy as np

from vdiff_jax.stitching import bundle_adjustment
from vdiff_jax.stitching.features import Matches, corners, project


def test_adjustment_finds_three_cameras_despite_noise_and_wrong_matches():
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
    found, rms = bundle_adjustment.adjust_homographies(start, matches, 0, 300.0)
    for index in (1, 2):
        away = project(found[index], corners(300, 200)) - project(truth[index], corners(300, 200))
        assert np.abs(away).max() < 0.5
    assert 0.15 < rms < 0.8


def test_the_jacobian_equals_numerical_derivatives():
    across = np.array([[1.02, 0.01, 90], [-0.02, 0.99, 4], [1e-5, 2e-5, 1]])
    points = np.random.default_rng(0).uniform([0, 0], [300, 200], (20, 2))
    pair = Matches(
        first=0, second=1, points=points, others=points + 3.0, homography=across, candidates=20
    )  # fmt: skip

    def unpack(parameters):
        scale = np.array([1, 1, 100, 1, 1, 100, 1e-3, 1e-3, 1]).reshape(3, 3)
        return np.stack([np.eye(3), np.linalg.inv(across) + scale * np.append(parameters, 0).reshape(3, 3)])

    at, step = np.linspace(-0.01, 0.02, 8), 1e-5
    found = bundle_adjustment.jacobian(unpack, at, [pair])
    for column, way in enumerate(np.eye(8) * step):
        ends = [bundle_adjustment.residuals(unpack(at + sign * way), [pair]) for sign in (1, -1)]
        np.testing.assert_allclose(found[:, column], (ends[0] - ends[1]) / (2 * step), rtol=1e-4, atol=1e-3)


def test_a_long_focal_length_is_found_and_the_far_corners_fit():
    """Focal length and angle hardly differ in effect there, but the pixels that the picture moves by are certain."""
    focal, size = 4000.0, (320, 240)
    inner = bundle_adjustment.camera_matrix(focal, size)
    turn = cv2.Rodrigues(np.deg2rad(np.array([0.32, 3.2, 0.5])))[0]
    across = inner @ turn.T @ np.linalg.inv(inner)
    rng = np.random.default_rng(1)
    points = rng.uniform([230, 0], [319, 239], (200, 2))
    others = project(across, points) + rng.normal(0, 0.1, points.shape)
    pair = Matches(first=0, second=1, points=points, others=others, homography=across, candidates=200)
    start = bundle_adjustment.chain_homographies([pair], 0, 2)
    found, focals, _ = bundle_adjustment.adjust_rotations(start, [pair], 0, [size] * 2)
    np.testing.assert_allclose(focals, focal, rtol=0.15)
    apart = project(found[1], corners(*size)) - project(np.linalg.inv(across), corners(*size))
    assert np.linalg.norm(apart, axis=1).max() < 0.5
