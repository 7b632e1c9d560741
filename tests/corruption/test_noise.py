"""Noise whose deviation and correlation are known; 4:2:0 chroma of storage.py."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.corruption.noise import camera_sigma, correlated, gaussian, grain_sigma, quantise, white
from vdiff_jax.corruption.storage import subsampled, subsampled_observation
from vdiff_jax.observation import Observation

WIDTH = 0.8
SHAPE = (3, 64, 64, 3)


@pytest.fixture(scope="module")
def made():
    """White noise, the same of a shorter clip, the same added to a clip, and correlated noise; compiled together."""

    @jax.jit
    def make(key):
        short = white(key, (2, *SHAPE[1:]))
        return white(key, SHAPE), short, gaussian(key, jnp.ones(SHAPE), 0.1), correlated(key, SHAPE, WIDTH)

    return [np.asarray(noise) for noise in make(jax.random.key(1))]


def test_white_noise_has_unit_deviation_and_frames_that_do_not_depend_on_the_clips_length(made):
    noise, short, added, _ = made
    np.testing.assert_allclose(noise.std(axis=(1, 2)), 1, atol=0.05)
    np.testing.assert_allclose(noise[:2], short, rtol=1e-6)
    assert abs((noise[0] * noise[1]).mean()) < 0.05
    np.testing.assert_allclose(added, 1 + 0.1 * noise, atol=1e-6)


def test_correlated_noise_has_unit_deviation_and_correlated_neighbours(made):
    noise = made[3]
    assert noise.std() == pytest.approx(1, abs=0.03)
    for axis in (1, 2):
        expected = np.exp(-1 / (4 * WIDTH**2))
        assert (noise * np.roll(noise, 1, axis)).mean() == pytest.approx(expected, abs=0.05)


def test_camera_noise_grows_with_light_and_grain_is_largest_at_mid_grey():
    light = jnp.array([0, 0.5, 1]).reshape(3, 1, 1, 1)
    np.testing.assert_allclose(camera_sigma(light, 0.03, 0.04).ravel(), [0.03, np.sqrt(17e-4), 0.05], rtol=1e-5)
    np.testing.assert_allclose(grain_sigma(light, 0.1).ravel(), [0, 0.1, 0], atol=1e-7)


def test_quantised_values_are_clipped_and_on_the_grid():
    values = quantise(jnp.array([-0.2, 0.1004, 0.5, 1.3]).reshape(1, 1, 4, 1), bits=8)
    np.testing.assert_allclose(values.ravel(), np.array([0, 26, 128, 255]) / 255, atol=1e-6)


def test_subsampled_chroma_is_the_blocks_mean_and_luma_stays():
    clip = np.random.default_rng(0).random((1, 4, 6, 3), np.float32)
    made = np.asarray(subsampled(jnp.asarray(clip)))
    np.testing.assert_array_equal(made[..., 0], clip[..., 0])
    np.testing.assert_allclose(
        made[0, :2, :2, 1:], np.broadcast_to(clip[0, :2, :2, 1:].mean((0, 1)), (2, 2, 2)), rtol=1e-5
    )


def test_a_subsampled_observation_is_known_where_all_four_pixels_are():
    known = np.ones((1, 4, 4, 3), np.float32)
    known[0, 1, 2] = 0
    arrays = {"values": jnp.full((1, 4, 4, 3), 0.5), "sigma": jnp.full((1, 4, 4, 3), 0.1)}
    made = subsampled_observation(Observation(known=jnp.asarray(known), time=jnp.zeros(1), **arrays))
    np.testing.assert_array_equal(made.known[0, ..., 0], known[0, ..., 0])
    np.testing.assert_array_equal(made.known[0, ..., 1], 1 - np.kron([[0, 1], [0, 0]], np.ones((2, 2))))
    np.testing.assert_array_equal(made.values == 0, made.known == 0)
    np.testing.assert_allclose(made.sigma[0, 0, 0], [0.1, 0.05, 0.05], rtol=1e-6)
