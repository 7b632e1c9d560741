"""The expected error of fills, and the mean that it weights."""

import numpy as np

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.fill_error import local_detail, propagated_error, spatial_error, weighted_mean


def test_the_expected_error_grows_with_what_makes_filling_hard():
    more = np.array([1.0, 4.0, 16.0], np.float32)
    same = np.full(3, 4, np.float32)
    for errors in (spatial_error(more, same), spatial_error(same, more), propagated_error(more, same, 3)):
        assert (np.diff(errors) > 0).all()
    assert (propagated_error(same, same, 8) > propagated_error(same, same, 2)).all()


def test_an_outlier_counts_less_than_its_expected_error_says():
    estimates = [np.full((1, 4), value, np.float32) for value in (0.5, 0.51, 0.9)]
    errors = [np.full(4, 0.02, np.float32)] * 3
    mean, expected = weighted_mean(list(zip(estimates, errors)))
    assert np.all(mean < 0.55)
    agreed, sure = weighted_mean(list(zip(estimates[:2], errors)))
    np.testing.assert_allclose(agreed, 0.505, atol=1e-3)
    assert np.all(sure < expected)


def test_detail_is_high_in_texture_and_low_in_shading():
    y, x = np.mgrid[:64, :96].astype(np.float32)
    plane = 100 + 0.5 * y + np.where(x > 48, 60 * np.random.default_rng(0).random((64, 96)), 0)
    mask = np.zeros((64, 96), bool)
    mask[30:34, 20:24] = mask[30:34, 70:74] = True
    gray = PixelFormat(kind="gray", full_range=True)
    (item,) = analyse([Frame((plane.astype(np.uint8),), 0)], [mask], gray, 8)
    smooth, rough = local_detail(item, np.array([[21, 31], [71, 31]], np.float32), gray)
    assert smooth < 1 < 5 < rough
