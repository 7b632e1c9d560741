"""The noise estimate on synthetic clips whose sigma is known."""

import cv2
import numpy as np
import pytest

from vdiff_jax.errors import ClipError
from vdiff_jax.stream.noise import estimate_sigma, estimate_sigma_channels


def moving_scene(frames: int = 6, size: tuple[int, int] = (144, 192)) -> np.ndarray:
    """Smooth shading from black to white, a third of it under fine texture, all of it moving."""
    y, x = np.mgrid[: size[0], : size[1] + frames].astype(np.float32)
    shading = 0.5 + 0.5 * np.sin(x / 37) * np.cos(y / 29)
    texture = np.where(y < size[0] / 3, 0.1 * np.sin(1.3 * x) * np.sin(1.1 * y), 0)
    scene = np.clip(shading + texture, 0, 1)
    shifted = [scene[:, t : t + size[1]] for t in range(frames)]
    return np.stack([np.stack([frame, 1 - frame, 0.8 * frame], axis=-1) for frame in shifted])


def noisy(clip: np.ndarray, sigma: float, seed: int = 0) -> np.ndarray:
    """White Gaussian noise, clipped and rounded to 8 bits."""
    levels = 255 * clip + np.random.default_rng(seed).normal(0, sigma, clip.shape)
    return (np.clip(np.round(levels), 0, 255) / 255).astype(np.float32)


@pytest.mark.parametrize("sigma", [5, 10, 25, 50])
def test_sigma_of_clipped_noise_over_texture_and_motion(sigma):
    assert 255 * estimate_sigma(noisy(moving_scene(), sigma)) == pytest.approx(sigma, rel=0.05)


def test_a_clean_clip_has_next_to_none():
    assert 255 * estimate_sigma(moving_scene()) < 1


def test_a_single_frame_is_enough():
    assert 255 * estimate_sigma(noisy(moving_scene(frames=1), 25)) == pytest.approx(25, rel=0.06)


def test_frames_shown_twice_do_not_hide_the_noise():
    twice = np.repeat(noisy(moving_scene(), 25), 2, axis=0)
    assert 255 * estimate_sigma(twice) == pytest.approx(25, rel=0.06)


def test_clean_letterbox_bars_do_not_lower_it():
    clip = noisy(moving_scene(), 25)
    clip[:, :24] = clip[:, -24:] = 0
    assert 255 * estimate_sigma(clip) == pytest.approx(25, rel=0.04)


def test_channels_are_measured_apart():
    clip = moving_scene()
    clip = np.concatenate([noisy(clip[..., :1], 10, seed=1), noisy(clip[..., 1:2], 30, seed=2)], axis=-1)
    np.testing.assert_allclose(255 * estimate_sigma_channels(clip), [10, 30], rtol=0.05)


def test_noise_is_scaled_back_where_it_is_clipped():
    black = noisy(np.zeros((4, 96, 96, 1), np.float32), 50)
    assert 255 * black.std() < 30
    assert 255 * estimate_sigma(black) == pytest.approx(50, rel=0.04)


@pytest.mark.parametrize("shape", [(96, 96, 3), (0, 96, 96, 3), (4, 7, 96, 3)])
def test_what_is_no_clip_is_named(shape):
    with pytest.raises(ClipError, match=str(shape[0]) if len(shape) == 3 else "frame"):
        estimate_sigma(np.zeros(shape, np.float32))


def test_fine_moving_texture_is_no_noise():
    """Texture of half a pixel's blur that moves by half a pixel: the differences of frames hold all of it."""
    rng = np.random.default_rng(1)
    fine = cv2.GaussianBlur(rng.normal(0, 60, (400, 500)).astype(np.float32), (0, 0), 1.0)
    strength = np.linspace(0.2, 1, 500, dtype=np.float32)
    scene = 128 + fine * strength
    moved = [scene[t : t + 384, t : t + 480] for t in range(5)]
    frames = [cv2.resize(one, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for one in moved]
    clip = np.round(np.stack(frames))[..., None] / 255
    assert np.abs(np.diff(clip, axis=0)).mean() > 5 / 255
    assert estimate_sigma(clip.astype(np.float32)) == 0
    assert 255 * estimate_sigma(noisy(clip, 10)) == pytest.approx(10, rel=0.1)
