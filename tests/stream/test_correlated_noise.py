"""Film grain is told from texture that moves."""

import cv2
import numpy as np
import pytest

from vdiff_jax.stream.correlated_noise import correlated_variance, is_tracked
from vdiff_jax.stream.noise import estimate_sigma


def moving_shading() -> np.ndarray:
    y, x = np.mgrid[:144, :200].astype(np.float32)
    shading = 0.5 + 0.2 * np.sin(x / 37) * np.cos(y / 29)
    return np.stack([shading[:, t : t + 192] for t in range(6)])[..., None]


def test_film_grain_is_noise():
    rng = np.random.default_rng(2)
    grain = np.stack([cv2.GaussianBlur(rng.normal(0, 1, (144, 192)), (0, 0), 0.7) for _ in range(6)])[..., None]
    clip = moving_shading() + grain / grain.std() * 8 / 255
    assert 255 * estimate_sigma(clip.astype(np.float32)) == pytest.approx(8, rel=0.2)


def test_even_texture_that_moves_is_no_grain():
    rng = np.random.default_rng(3)
    fine = cv2.GaussianBlur(rng.normal(0.5, 0.1, (144, 220)).astype(np.float32), (0, 0), 0.7)[..., None]
    assert 255 * estimate_sigma(np.stack([fine[:, 3 * t : 3 * t + 192] for t in range(6)])) < 4


def test_white_noise_and_uneven_variances_are_not_correlated_noise():
    even = np.ones((3, 100))
    grain = even * np.array([[0.1], [0.3], [0.6]])
    assert correlated_variance(even) == 0
    assert correlated_variance(grain) > 0.6
    assert correlated_variance(grain * np.linspace(0.1, 1, 100)) == 0


def test_noise_is_not_tracked():
    rng = np.random.default_rng(4)
    noise = rng.uniform(0, 1, (3, 64, 96, 1)).astype(np.float32)
    assert not is_tracked(noise[0], noise[1])
    fine = cv2.GaussianBlur(noise[2, ..., 0], (0, 0), 0.7)[..., None]
    assert is_tracked(fine[:, :-2], fine[:, 2:])
