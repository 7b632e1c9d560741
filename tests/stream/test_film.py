"""Damage of old film whose place is known, and flicker whose size is."""

import cv2
import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream import film

PIXELS = PixelFormat(kind="gray", full_range=True)


@pytest.fixture(scope="module")
def lumas():
    """A textured scene that pans by 2 pixels a frame, with a little grain: 5 frames of 96×128."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:96, :148].astype(np.float32)
    scene = 0.5 + 0.2 * np.sin(x / 7) * np.cos(y / 9) + 0.1 * np.sin((x + 2 * y) / 5)
    frames = [scene[:, 2 * n : 2 * n + 128] + rng.normal(0, 0.01, (96, 128)) for n in range(5)]
    return [frame.astype(np.float32) for frame in frames]


def test_dust_is_found_and_motion_is_not(lumas):
    dirty = lumas[2].copy()
    dirty[40:46, 60:67] = 0.05
    dirty[70:73, 20:24] = 0.98
    found = film.damage_mask(lumas[1], dirty, lumas[3])
    assert found[40:46, 60:67].mean() > 0.95
    assert found[70:73, 20:24].mean() > 0.95
    found[36:50, 56:71] = found[66:77, 16:28] = False
    assert found.mean() < 0.005
    assert film.damage_mask(lumas[1], lumas[2], lumas[3]).mean() < 0.005


def test_fine_detail_that_sparkles_as_it_moves_is_no_dust():
    """Foliage: each frame's camera sees other points of it."""
    leaves = cv2.GaussianBlur(np.random.default_rng(4).random((480, 700), np.float32), (0, 0), 1.0)
    leaves = np.clip(0.5 + 3 * (leaves - 0.5), 0, 1)
    seen = [np.ascontiguousarray(leaves[n::2, 2 * n :: 2][:150, :220]) for n in range(3)]
    assert film.damage_mask(*seen).mean() < 0.002


def test_a_scratch_needs_no_neighbours(lumas):
    scratched = lumas[2].copy()
    scratched[:, 50:52] += 0.15
    found = film.damage_mask(None, scratched, None)
    assert found[:, 50:52].all()
    assert found.mean() < 0.1
    assert not film.damage_mask(None, lumas[2], None).any()


def test_a_change_everywhere_is_no_dust(lumas):
    assert film.damage_mask(lumas[1], 1 - lumas[2], lumas[3]).mean() < 0.1


def frames_of(lumas):
    return [Frame((np.rint(255 * luma).astype(np.uint8),), n) for n, luma in enumerate(lumas)]


def test_every_frame_comes_once_with_its_mask(lumas):
    for count in (1, 2, 5):
        found = list(film.detect_damage(frames_of(lumas[:count]), PIXELS))
        assert [frame.pts for frame, _ in found] == list(range(count))
        assert all(mask.shape == (96, 128) for _, mask in found)


def test_flicker_is_evened_and_a_fade_kept(lumas):
    flickering = [lumas[0] * (1 + 0.06 * (-1) ** n) for n in range(20)]
    means = np.array([frame.planes[0].mean() for frame in film.even_brightness(frames_of(flickering), PIXELS)])[6:]
    assert np.abs(np.diff(means)).mean() < 0.35 * np.abs(np.diff([255 * f.mean() for f in flickering])).mean()
    fading = [lumas[0] * (1 - 0.02 * n) for n in range(30)]
    means = [frame.planes[0].mean() for frame in film.even_brightness(frames_of(fading), PIXELS)]
    assert means[-1] < 0.65 * means[0]
