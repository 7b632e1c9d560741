"""What stands still is stilled; what moves, fades or is cut is left as it is."""

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.deflicker import deflicker

RGB = PixelFormat(kind="rgb", full_range=True)
SIGMA = np.full(3, 25 / 255, np.float32)


@pytest.fixture(scope="module")
def left():
    """What denoising leaves of noise, an eighth of it, in 12 frames."""
    return np.random.default_rng(0).normal(0, 3, (12, 3, 64, 96))


def frames(clip, dtype=np.uint8):
    clip = np.clip(np.rint(clip), 0, 255) if dtype == np.uint8 else clip / 255
    return [Frame(tuple(frame.astype(dtype)), n) for n, frame in enumerate(clip)]


def stilled(clip, pixels=RGB, sigma=SIGMA, dtype=np.uint8):
    return np.stack([np.stack(frame.planes) for frame in deflicker(frames(clip, dtype), pixels, sigma)]).astype(float)


def flicker(clip):
    return np.abs(np.diff(clip, axis=0)).mean()


def test_a_still_picture_flickers_less_and_comes_nearer_to_the_truth(left):
    truth = np.broadcast_to(np.random.default_rng(1).uniform(40, 200, (3, 64, 96)), left.shape)
    result = stilled(truth + left)
    assert flicker(result) < 0.4 * flicker(left)
    assert np.abs(result[-1] - truth[-1]).mean() < 0.6 * np.abs(left[-1]).mean()
    np.testing.assert_array_equal(result[0], np.rint(truth[0] + left[0]))


def test_whole_and_float_samples_are_stilled_alike(left):
    whole, fine = (stilled(np.rint(128 + left), dtype=dtype) for dtype in (np.uint8, np.float32))
    np.testing.assert_allclose(whole, 255 * fine, atol=0.51)


def test_what_moves_leaves_no_ghost(left):
    clip = np.full(left.shape, 60.0)
    for n in range(12):
        clip[n, :, 20:44, 4 * n : 4 * n + 24] = 180
    result = stilled(clip + left)
    np.testing.assert_allclose(result[-1, :, 24:40, 48:64].mean(), 180, atol=1)
    np.testing.assert_allclose(result[-1, :, 24:40, 16:36].mean(), 60, atol=1)


def test_a_cut_and_a_fade_are_followed(left):
    steps = np.r_[np.full(4, 40), 40 + 1.5 * np.arange(4), np.full(4, 160)].reshape(-1, 1, 1, 1)
    result = stilled(steps + left)
    assert np.abs(result.mean(axis=(1, 2, 3)) - steps.ravel()).max() < 2.6
    assert abs(result[8].mean() - 160) < 0.3


def test_subsampled_chroma_and_alpha(left):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2), alpha=True)
    planes = [
        Frame(
            (
                np.rint(100 + f[0]).astype(np.uint8),
                *np.rint(128 + f[1:, ::2, ::2]).astype(np.uint8),
                np.full((64, 96), n, np.uint8),
            ),
            n,
        )
        for n, f in enumerate(left)
    ]
    made = list(deflicker(planes, pixels, SIGMA))
    assert [plane.shape for plane in made[-1].planes] == [(64, 96), (32, 48), (32, 48), (64, 96)]
    np.testing.assert_array_equal(made[-1].planes[3], 11)
    for number in range(3):
        before, after = (np.stack([f.planes[number] for f in each]).astype(float) for each in (planes, made))
        assert flicker(after) < 0.5 * flicker(before)


def test_without_noise_nothing_is_held_on_to(left):
    clip = np.rint(128 + left)
    np.testing.assert_array_equal(stilled(clip, sigma=np.zeros(3, np.float32)), clip)
