"""Noise and coding error of a video's planes, where both are known."""

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.compression_error import expected_error
from vdiff_jax.stream.sigma import measure_coding, measure_sigma, sigma_in_rgb, sigma_of_rgb

YUV = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")


def noisy(sigmas, quantiser=float("nan")):
    """Smooth planes with noise of a known deviation in samples."""
    rng = np.random.default_rng(0)
    planes = [np.clip(np.rint(120 + rng.normal(0, s, (4, *size))), 0, 255).astype(np.uint8)
              for s, size in zip(sigmas, ((96, 128), (48, 64), (48, 64)))]  # fmt: skip
    return [Frame(tuple(plane[n] for plane in planes), n, quantiser=quantiser) for n in range(4)]


def test_the_noise_of_each_plane_is_measured_in_normalised_samples():
    sigma = measure_sigma(noisy((6, 10, 3)), YUV)
    np.testing.assert_allclose(sigma, np.array([6 / 219, 10 / 224, 3 / 224]), rtol=0.1)
    np.testing.assert_array_equal(measure_sigma(noisy((6,)), PixelFormat(kind="gray"))[1:], 0)


@pytest.mark.parametrize("pixels", [YUV, PixelFormat(kind="rgb"), PixelFormat(kind="gray")], ids=lambda p: p.kind)
def test_sigma_of_rgb_is_read_back(pixels):
    assert sigma_in_rgb(sigma_of_rgb(20 / 255, pixels), pixels) == pytest.approx(20, rel=1e-5)


def test_the_streams_quantisers_come_first_and_the_frames_second():
    coded = measure_coding(noisy((2, 2, 2), quantiser=30.0), YUV, "h264")
    assert coded.codec == "h264"
    np.testing.assert_allclose(coded.sigma, expected_error("h264", np.array([30.0]))[0], rtol=1e-6)
    estimated = measure_coding(noisy((2, 2, 2)), YUV, "av1")
    assert estimated.codec is None
    assert estimated.sigma[0] > 0
    small = [Frame((np.zeros((16, 16), np.uint8),), 0)]
    assert measure_coding(small, PixelFormat(kind="gray"), "av1").sigma.max() == 0
