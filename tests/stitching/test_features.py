import cv2
import numpy as np

from vdiff_jax.stitching import features


def test_mirroring_shrinking_and_folding_homographies_are_implausible():
    points = np.array([[10.0, 10], [200, 20], [150, 180]])
    assert features.plausible(np.eye(3) * -2, points)
    assert not features.plausible(np.diag([-1.0, 1, 1]), points)
    assert not features.plausible(np.diag([9.0, 9, 1]), points)
    assert not features.plausible(np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1.0]]), points)


def test_features_of_shifted_views_match_at_the_shift(wide):
    first, second = (features.detect(np.ascontiguousarray(wide[0, :, x : x + 260])) for x in (40, 120))
    points, others = features.match(first, second)
    assert len(points) > 100
    assert np.abs(np.median(points - others, axis=0) - [80, 0]).max() < 0.02
    matches = features.match_pair((0, 1), [(first, second)])
    assert np.abs(features.project(matches.homography, points[:5]) - points[:5] + [80, 0]).max() < 0.5
    assert len(matches.points) <= matches.candidates == len(points)


def test_unrelated_pictures_have_no_homography(wide):
    noise = cv2.blur(np.random.default_rng(0).integers(0, 255, (216, 300, 3)).astype(np.uint8), (3, 3))
    pair = features.detect(wide[0, :216, :300].copy()), features.detect(noise)
    assert len(pair[1].points) > 100
    assert features.match_pair((0, 1), [pair]) is None


def test_sensitive_detection_finds_more_in_a_faint_picture(wide):
    faint = np.rint(125 + 0.15 * (wide[0].astype(float) - 125)).astype(np.uint8)
    assert len(features.detect(faint, sensitive=True).points) > 2 * len(features.detect(faint).points)
    assert features.detect(np.full_like(faint, 90)).points.shape == (0, 2)
