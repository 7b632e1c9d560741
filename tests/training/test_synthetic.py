"""Synthetic clips: their shape, motion and sharpness."""

import numpy as np
import pytest

from vdiff_jax.training.synthetic import clip_of_photo, clip_of_video, flipped


@pytest.fixture(scope="module")
def photos():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (120, 140, 3), dtype=np.uint8) for _ in range(2)]


def test_most_photographs_move(photos):
    rng = np.random.default_rng(1)
    clips = [clip_of_photo(rng, *photos, frames=4, patch=32, soft=0.4) for _ in range(8)]
    assert all(clip.shape == (4, 32, 32, 3) for clip in clips)
    moving = [np.abs(np.diff(clip.astype(float), axis=0)).mean() > 1 for clip in clips]
    assert 4 <= sum(moving) < 8  # some cameras stand still


def test_soft_photographs_have_less_detail(photos):
    sharp, soft = (
        clip_of_photo(np.random.default_rng(2), *photos, frames=2, patch=32, soft=share).astype(float)
        for share in (0.0, 1.0)
    )
    assert np.abs(np.diff(soft, axis=2)).mean() < 0.7 * np.abs(np.diff(sharp, axis=2)).mean()


def test_the_frames_of_a_video_are_equally_spaced():
    y, x = np.mgrid[:64, :80]
    # Each frame is 10 8-bit units brighter than the one before.
    video = np.stack([(y + x) // 2 + 10 * n for n in range(9)]).astype(np.uint8)[..., None].repeat(3, axis=-1)
    for seed in range(8):
        clip = clip_of_video(np.random.default_rng(seed), video, frames=3, patch=32)
        assert clip.shape == (3, 32, 32, 3)
        steps = np.diff(clip.astype(float).mean(axis=(1, 2, 3)))
        assert abs(steps).min() > 2
        assert steps[0] == pytest.approx(steps[1], abs=5)  # a pan of up to 4 pixels adds up to 4 8-bit units


def test_flipped_clips_have_the_same_pixels():
    clip = np.random.default_rng(0).integers(0, 255, (2, 8, 8, 3), dtype=np.uint8)
    others = [flipped(np.random.default_rng(seed), clip) for seed in range(40)]
    assert all((np.sort(other, axis=None) == np.sort(clip, axis=None)).all() for other in others)
    assert len({other.tobytes() for other in others}) > 3
