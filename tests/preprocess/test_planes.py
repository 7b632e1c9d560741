"""Planes as normalised samples and as the clip that the network sees; what is known of it, and its expected error."""

import jax.numpy as jnp
import numpy as np
import pytest

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.preprocess.planes import CHROMA_ERROR, clip_of_planes, known_of_mask, normalised_samples, sigma_of_error

YUV = PixelFormat(kind="yuv", subsampling=(2, 2))


@pytest.mark.parametrize("chroma", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_normalised_samples_of_numpy_are_numpy_and_the_same_as_of_jax(bits, chroma):
    pixels = PixelFormat(kind="yuv", bits=bits, subsampling=(2, 2))
    plane = np.arange(256, dtype=pixels.dtype).reshape(16, 16) * (pixels.peak // 255)
    host = normalised_samples(plane, pixels, chroma=chroma)
    assert isinstance(host, np.ndarray)
    assert host.dtype == np.float32
    np.testing.assert_allclose(host, normalised_samples(jnp.asarray(plane), pixels, chroma=chroma), rtol=0, atol=2e-7)


def test_a_clip_has_normalised_samples_in_its_corners_and_repeated_edges():
    luma = np.full((3, 5), 16, np.uint8)
    luma[2, 4] = 235
    chroma = np.full((2, 3), 128, np.uint8)
    chroma[1, 2] = 240
    clip = clip_of_planes(tuple(map(jnp.asarray, (luma, chroma, chroma))), YUV, 4)
    assert clip.shape == (4, 8, 3)
    np.testing.assert_allclose(clip[0, 0], [0, 0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(clip[2:, 4:], np.broadcast_to([1, 1, 1], (2, 4, 3)), atol=1e-6)


def test_chroma_is_unknown_where_any_of_its_pixels_is_and_has_their_largest_error():
    mask = np.zeros((4, 4), np.float32)
    mask[1, 2] = 1
    known = np.asarray(known_of_mask(jnp.asarray(mask), YUV, 4))
    np.testing.assert_array_equal(known[..., 0], 1 - mask)
    np.testing.assert_array_equal(known[..., 1], 1 - np.kron([[0, 1], [0, 0]], np.ones((2, 2))))
    error = np.zeros((4, 4), np.float32)
    error[1, 2], error[0, 0] = 0.1, np.inf
    sigma = np.asarray(sigma_of_error(jnp.asarray(error), YUV, 4))
    np.testing.assert_allclose(sigma[0, 2], [0, 0.1 * CHROMA_ERROR, 0.1 * CHROMA_ERROR])
    assert np.isfinite(sigma).all()
