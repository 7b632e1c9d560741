"""Film grain is told from texture that moves."""

import cv2
import numpy as np
import pytest

from vdiff_jax.stream.correlated_noise import correlated_variance
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


def test_white_noise_and_uneven_noise_are_not_film_grain():
    rng = np.random.default_rng(4)
    white = rng.normal(0.5, 0.04, (2, 144, 192, 1)).astype(np.float32)
    grain = cv2.GaussianBlur(white[..., 0].transpose(1, 2, 0), (0, 0), 0.7).transpose(2, 0, 1)[..., None]
    uneven = 0.5 + (grain - 0.5) * np.linspace(0.1, 1, 192, dtype=np.float32)[:, None]
    assert correlated_variance([(white[0], white[1])]) == 0
    assert correlated_variance([(uneven[0], uneven[1])]) == 0
    assert np.sqrt(correlated_variance([(grain[0], grain[1])])) == pytest.approx(np.std(grain), rel=0.15)


def test_film_grain_is_found_where_much_of_the_picture_moves():
    rng = np.random.default_rng(5)
    texture = cv2.GaussianBlur(rng.normal(0, 0.6, (144, 220)).astype(np.float32), (0, 0), 1) + 0.5
    clean = np.stack([texture[:, 3 * t : 3 * t + 192] for t in range(6)])
    clean[:, 80:] = 0.5
    grain = [cv2.GaussianBlur(rng.normal(0, 1, (144, 192)), (0, 0), 0.7) for _ in range(6)]
    noisy = (clean + np.stack(grain) / np.std(grain) * 8 / 255)[..., None].astype(np.float32)
    assert 255 * estimate_sigma(noisy) == pytest.approx(8, rel=0.25)
    assert 255 * estimate_sigma(clean[..., None]) < 3


@pytest.mark.parametrize("height", [8, 20])
def test_frames_too_small_to_show_it_have_none(height):
    noise = np.random.default_rng(6).normal(0.5, 0.1, (2, height, 2000)).astype(np.float32)
    frames = [cv2.GaussianBlur(each, (0, 0), 0.7)[..., None] for each in noise]
    assert correlated_variance([(frames[0], frames[1])]) == 0


def test_a_single_frame_does_not_show_it():
    assert correlated_variance([]) == 0
