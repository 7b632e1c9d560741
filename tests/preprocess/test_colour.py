"""Y'CbCr and R'G'B' against the standards' equations; noise through the matrix against a sample."""

import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.pixels import LUMA_WEIGHTS
from vdiff_jax.preprocess.colour import noise_in_ycbcr, rgb_to_ycbcr, ycbcr_to_rgb


@pytest.mark.parametrize("matrix", LUMA_WEIGHTS)
def test_luma_and_colour_differences_are_the_standards(matrix):
    red, blue = LUMA_WEIGHTS[matrix]
    r, g, b = rgb = np.random.default_rng(0).random((3, 4, 5))
    y = red * r + (1 - red - blue) * g + blue * b
    expected = np.stack([y, 0.5 + (b - y) / (2 * (1 - blue)), 0.5 + (r - y) / (2 * (1 - red))], axis=-1)
    image = jnp.asarray(np.moveaxis(rgb, 0, -1), jnp.float32)
    np.testing.assert_allclose(rgb_to_ycbcr(image, matrix), expected, atol=1e-5)
    np.testing.assert_allclose(ycbcr_to_rgb(rgb_to_ycbcr(image, matrix), matrix), image, atol=1e-5)


def test_noise_has_the_deviation_that_is_predicted():
    noise = np.random.default_rng(1).normal(0, 0.1, (200, 200, 3)).astype(np.float32)
    measured = np.std(rgb_to_ycbcr(jnp.asarray(noise)), axis=(0, 1))
    np.testing.assert_allclose(noise_in_ycbcr(0.1), measured, rtol=0.02)
