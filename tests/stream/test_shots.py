"""Cuts in synthetic videos whose shots are known, clean and noisy."""

import cv2
import numpy as np
import pytest

from vdiff_jax.errors import ClipError
from vdiff_jax.stream.shots import THUMBNAIL_SHAPE, ShotDetector, change, shot_starts, thumbnail

SIZE = (180, 320)


def scenery(seed: int, width: int = SIZE[1]) -> np.ndarray:
    """A still picture of soft random shapes, wide enough to pan over."""
    coarse = np.random.default_rng(seed).uniform(0.05, 0.95, (4, 14)).astype(np.float32)
    return cv2.resize(coarse, (800, SIZE[0]))[:, :width]


def panning_shot(seed: int, frames: int, speed: int = 2) -> np.ndarray:
    wide = scenery(seed, SIZE[1] + frames * speed)
    return np.stack([wide[:, t * speed : t * speed + SIZE[1]] for t in range(frames)])


def noisy(video: np.ndarray, sigma: float) -> np.ndarray:
    levels = 255 * video + np.random.default_rng(0).normal(0, sigma, video.shape)
    return np.clip(np.round(levels), 0, 255).astype(np.float32) / 255


def starts(video: np.ndarray) -> list[int]:
    flags = list(shot_starts(thumbnail(frame) for frame in video))
    assert len(flags) == len(video)
    return np.flatnonzero(flags).tolist()


@pytest.mark.parametrize("sigma", [0, 50])
def test_cuts_are_found_where_they_are(sigma):
    video = np.concatenate([panning_shot(1, 7), panning_shot(2, 2), panning_shot(3, 5)])
    assert starts(noisy(video, sigma)) == [0, 7, 9]


def test_fast_motion_is_no_cut():
    assert starts(panning_shot(1, 12, speed=25)) == [0]


def test_a_flash_is_no_cut():
    video = panning_shot(1, 9)
    video[4] = np.clip(1.4 * video[4] + 0.3, 0, 1)
    video[7] = np.random.default_rng(5).uniform(size=video[7].shape)
    assert starts(video) == [0]


def test_noise_alone_is_no_cut():
    assert starts(noisy(np.full((8, *SIZE), 0.3, np.float32), 50)) == [0]


def test_flicker_and_a_fade_are_no_cuts():
    video = panning_shot(1, 10) * np.linspace(1, 0.1, 10, dtype=np.float32)[:, None, None]
    video[::3] *= 0.8
    assert starts(video) == [0]


def test_black_before_a_scene_is_a_shot_of_its_own():
    assert starts(np.concatenate([np.zeros((3, *SIZE), np.float32), panning_shot(1, 3)])) == [0, 3]


def test_verdicts_come_one_frame_late_and_the_detector_starts_anew():
    pictures = [thumbnail(scenery(seed)) for seed in (1, 1, 2)]
    detector = ShotDetector()
    for _ in range(2):
        assert [detector.push(picture) for picture in pictures] == [None, True, False]
        assert detector.finish() is True
    assert detector.finish() is None


def test_memory_is_constant():
    detector = ShotDetector()
    for _ in range(50):
        detector.push(thumbnail(scenery(1)))
    assert len(detector._recent) <= 4


def test_change_is_nothing_for_the_same_frame_and_large_for_another():
    first, second = (thumbnail(scenery(seed)) for seed in (1, 2))
    assert change(first, first) == 0
    assert change(first, second) > 0.3


def test_what_is_no_luma_plane_is_named():
    with pytest.raises(ClipError, match="luma plane"):
        thumbnail(np.zeros((8, 8, 3), np.float32))
    with pytest.raises(ClipError, match=r"thumbnail\(\)"):
        ShotDetector().push(np.zeros(THUMBNAIL_SHAPE[::-1], np.float32))
