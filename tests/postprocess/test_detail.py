"""Detail that denoising took comes back, noise does not."""

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.detail import with_detail

GRAY = PixelFormat(kind="gray", full_range=True)
SIGMA = 5.0


@pytest.fixture(scope="module")
def case():
    """A flat picture with texture in its right third, the same with noise, and a result that lost the texture."""
    rng = np.random.default_rng(0)
    flat = np.broadcast_to(np.linspace(60, 180, 144)[:, None], (144, 192))
    truth = flat + np.where(np.arange(192) < 128, 0, rng.choice([-6.0, 6.0], (144, 192)))
    return truth, truth + rng.normal(0, SIGMA, truth.shape), flat


def restored(case, *, sigma=SIGMA, dtype=np.uint8, pixels=GRAY):
    _, given, result = (np.rint(part).astype(dtype) for part in case)
    frame = Frame((result,), 0, given=(given,))
    (frame,) = with_detail([frame], pixels, [sigma / pixels.peak], sigma / pixels.peak)
    return frame.planes[0]


def test_texture_comes_back_and_noise_does_not(case):
    truth, _, flat = case
    result = restored(case).astype(float)
    textured, calm = slice(136, None), slice(0, 112)
    before = np.mean((flat - truth)[:, textured] ** 2)
    assert np.mean((result - truth)[:, textured] ** 2) < 0.7 * before
    assert np.mean((result - flat)[:, calm] ** 2) < 0.3


def test_noise_stronger_than_expected_is_not_taken_for_detail(case):
    _, _, flat = case
    result = restored(case, sigma=0.8 * SIGMA).astype(float)
    assert np.mean((result - flat)[:, :112] ** 2) < 1


def test_strong_noise_leaves_the_result_as_it_is(case):
    np.testing.assert_array_equal(restored(case, sigma=10.0), np.rint(case[2]).astype(np.uint8))


def test_a_plane_in_strips_equals_the_whole(case, monkeypatch):
    whole = restored(case)
    monkeypatch.setattr("vdiff_jax.postprocess.detail._ROWS", 48)
    np.testing.assert_array_equal(restored(case), whole)


def test_sixteen_bits_and_tiny_planes(case):
    deep = PixelFormat(kind="gray", bits=10, full_range=True)
    eight = restored(case)
    ten = restored([4 * part for part in case], sigma=SIGMA * deep.peak / 255, dtype=np.uint16, pixels=deep)
    assert np.abs(ten / 4 - eight).max() < 2
    small = np.full((9, 9), 7, np.uint8)
    (frame,) = with_detail([Frame((small,), 0, given=(small + 9,))], GRAY, [0.01], 0.01)
    np.testing.assert_array_equal(frame.planes[0], small)
