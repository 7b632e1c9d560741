"""The measures against scikit-image and NumPy, and on clips whose figure is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from skimage.color import rgb2gray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vdiff_jax import metrics


@pytest.fixture(scope="module")
def pair() -> tuple[jax.Array, jax.Array]:
    """A smooth clip of 4 frames and the same with noise."""
    y, x = np.mgrid[:40, :52]
    shapes = np.stack([np.cos(y / period) for period in (5, 9, 13)], axis=-1)
    video = [0.5 + 0.4 * np.sin((x + 3 * t) / 7)[..., None] * shapes for t in range(4)]
    reference = np.stack(video).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 0.05, reference.shape)
    return jnp.asarray(np.clip(reference + noise, 0, 1), jnp.float32), jnp.asarray(reference)


def frames(pair) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(*(np.asarray(clip) for clip in pair)))


def test_psnr_is_scikit_images(pair):
    expected = [peak_signal_noise_ratio(r, x, data_range=1) for x, r in frames(pair)]
    np.testing.assert_allclose(metrics.psnr(*pair), expected, rtol=1e-5)


def test_psnr_inside_a_mask_sees_nothing_else(pair):
    clip, reference = pair
    mask = np.zeros((*clip.shape[:3], 1), bool)
    mask[:, 8:16, 20:40] = True
    expected = [peak_signal_noise_ratio(r[8:16, 20:40], x[8:16, 20:40], data_range=1) for x, r in frames(pair)]
    np.testing.assert_allclose(metrics.psnr(clip, reference, where=jnp.asarray(mask)), expected, rtol=1e-5)


def test_psnr_of_equal_frames_is_infinite(pair):
    assert np.all(np.isposinf(metrics.psnr(pair[0], pair[0])))


def test_psnr_y_is_that_of_luma(pair):
    weights = np.array([0.2126, 0.7152, 0.0722])
    expected = [peak_signal_noise_ratio(r @ weights, x @ weights, data_range=1) for x, r in frames(pair)]
    np.testing.assert_allclose(metrics.psnr_y(*pair, matrix="bt709"), expected, rtol=1e-4)
    expected = [peak_signal_noise_ratio(rgb2gray(r), rgb2gray(x), data_range=1) for x, r in frames(pair)]
    assert not np.allclose(metrics.psnr_y(*pair), expected, rtol=1e-4)


def test_ssim_is_scikit_images(pair):
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = [structural_similarity(r, x, data_range=1, channel_axis=-1, **window) for x, r in frames(pair)]
    np.testing.assert_allclose(metrics.ssim(*pair), expected, atol=1e-5)


def test_ssim_of_equal_frames_is_one(pair):
    np.testing.assert_allclose(metrics.ssim(pair[1], pair[1]), 1, atol=1e-6)


def test_temporal_difference_error_is_numpys_and_blind_to_a_constant_error(pair):
    clip, reference = pair
    expected = np.abs(np.diff(clip, axis=0) - np.diff(reference, axis=0)).mean()
    np.testing.assert_allclose(metrics.temporal_difference_error(clip, reference), expected, rtol=1e-5)
    np.testing.assert_allclose(metrics.temporal_difference_error(reference + 0.1, reference), 0, atol=1e-6)


def test_temporal_difference_error_counts_the_given_samples_alone(pair):
    clip, reference = pair
    where = np.zeros((1, *clip.shape[1:3], 1), bool)
    where[:, :10] = True
    expected = np.abs(np.diff(clip - reference, axis=0)[:, :10]).mean()
    np.testing.assert_allclose(
        metrics.temporal_difference_error(clip, reference, where=jnp.asarray(where)), expected, rtol=1e-5
    )


def test_warping_error_vanishes_along_the_true_motion():
    wide = np.random.default_rng(1).uniform(size=(30, 60, 3)).astype(np.float32)
    clip = np.stack([wide[2 * t : 2 * t + 20, 3 * t : 3 * t + 40] for t in range(4)])
    flow = np.broadcast_to(np.array([-3, -2], np.float32), (3, 20, 40, 2))
    np.testing.assert_allclose(metrics.warping_error(jnp.asarray(clip), jnp.asarray(flow)), 0, atol=1e-5)
    assert metrics.warping_error(jnp.asarray(clip), jnp.zeros_like(flow)) > 0.2


def test_mean_flow_is_the_mean_length():
    flow = np.zeros((2, 4, 6, 2), np.float32)
    flow[1, :2] = [3, 4]
    np.testing.assert_allclose(metrics.mean_flow(jnp.asarray(flow)), [0, 2.5])


@pytest.mark.parametrize("measure", [metrics.psnr, metrics.psnr_y, metrics.ssim, metrics.temporal_difference_error])
def test_a_batch_is_its_clips(measure, pair):
    batch = [jnp.stack([array, array[::-1]]) for array in pair]
    each = np.stack([measure(*(array[n] for array in batch)) for n in range(2)])
    np.testing.assert_allclose(measure(*batch), each, rtol=1e-4)
    np.testing.assert_allclose(jax.vmap(measure)(*batch), each, rtol=1e-4)
