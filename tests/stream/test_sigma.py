"""Noise and coding error of a video's planes, where both are known."""

import cv2
import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream import sigma
from vdiff_jax.stream.compression_error import expected_error
from vdiff_jax.stream.sigma import measure_coding, measure_sigma, sigma_in_rgb, sigma_of_rgb, split_sigma

YUV = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")


def noisy(sigmas, quantiser=float("nan")):
    """Smooth planes with noise of a known deviation in samples."""
    rng = np.random.default_rng(0)
    planes = [np.clip(np.rint(120 + rng.normal(0, s, (4, *size))), 0, 255).astype(np.uint8)
              for s, size in zip(sigmas, ((96, 128), (48, 64), (48, 64)))]  # fmt: skip
    return [Frame(tuple(plane[n] for plane in planes), n, quantiser=quantiser) for n in range(4)]


def test_the_noise_of_each_plane_is_measured_in_normalised_samples():
    found = measure_sigma(noisy((6, 10, 3)), YUV)
    np.testing.assert_allclose(found, np.array([6 / 219, 10 / 224, 3 / 224]), rtol=0.1)
    np.testing.assert_array_equal(measure_sigma(noisy((6,)), PixelFormat(kind="gray"))[1:], 0)


@pytest.mark.parametrize("pixels", [YUV, PixelFormat(kind="rgb"), PixelFormat(kind="gray")], ids=lambda p: p.kind)
def test_sigma_of_rgb_is_read_back(pixels):
    assert sigma_in_rgb(sigma_of_rgb(20 / 255, pixels), pixels) == pytest.approx(20, rel=1e-5)


RGB = PixelFormat(kind="rgb", full_range=True)


def in_rgb(noise, brightness=128):
    """Four grey frames with noise in 8-bit units, `4 h w c`."""
    clip = np.clip(np.rint(brightness + noise), 0, 255).astype(np.uint8)
    return [Frame(tuple(np.moveaxis(np.broadcast_to(frame, (*frame.shape[:2], 3)), -1, 0)), n)
            for n, frame in enumerate(clip)]  # fmt: skip


def correlated(channels, width):
    """Noise of deviation 15 that is correlated in space: 4 frames of 96×128."""
    noise = np.random.default_rng(1).normal(0, 1, (4, 96, 128, channels))
    noise = np.stack([cv2.GaussianBlur(frame, (0, 0), width).reshape(frame.shape) for frame in noise])
    return 15 * noise / noise.std()


@pytest.mark.parametrize("width", [0.4, 1.0])
def test_film_grain_is_in_luma_alone(width):
    luma, *chroma = 255 * split_sigma(15 / 255, in_rgb(correlated(1, width)), RGB)
    assert luma == pytest.approx(15, rel=0.02)
    assert max(chroma) < 0.5


@pytest.mark.parametrize("width", [0.01, 0.7])
def test_noise_of_each_colour_is_split_as_white_noise(width):
    found = split_sigma(15 / 255, in_rgb(correlated(3, width)), RGB)
    np.testing.assert_array_equal(found, sigma_of_rgb(15 / 255, RGB))


def test_noise_that_a_codec_took_from_chroma_is_in_luma():
    luma, *chroma = 255 * split_sigma(15 / 255, noisy((15 * 219 / 255, 1, 1)), YUV)
    assert luma == pytest.approx(14.7, rel=0.02)
    np.testing.assert_allclose(chroma, 1.2 * 255 / 224, rtol=0.2)


def test_large_frames_are_measured_in_their_middle(monkeypatch):
    noise = np.zeros((4, 192, 256, 1))
    noise[:, 48:144, 64:192] = correlated(1, 0.4)
    monkeypatch.setattr(sigma, "_MOST", 96 * 128)
    assert 255 * split_sigma(15 / 255, in_rgb(noise), RGB)[0] == pytest.approx(15, rel=0.02)


def test_black_frames_say_nothing_about_the_split():
    black = in_rgb(correlated(1, 0.4), brightness=-200)
    np.testing.assert_array_equal(split_sigma(15 / 255, black, RGB), sigma_of_rgb(15 / 255, RGB))


def test_sigma_of_pictures_is_measured_in_luma_alone_under_grain():
    luma, *chroma = 255 * measure_sigma(in_rgb(correlated(1, 0.01)), RGB)
    assert luma == pytest.approx(15, rel=0.1)
    assert max(chroma) < 0.5


def test_the_streams_quantisers_come_first_and_the_frames_second():
    coded = measure_coding(noisy((2, 2, 2), quantiser=30.0), YUV, "h264")
    assert coded.codec == "h264"
    np.testing.assert_allclose(coded.sigma, expected_error("h264", np.array([30.0]))[0], rtol=1e-6)
    estimated = measure_coding(noisy((2, 2, 2)), YUV, "av1")
    assert estimated.codec is None
    assert estimated.sigma[0] > 0
    small = [Frame((np.zeros((16, 16), np.uint8),), 0)]
    assert measure_coding(small, PixelFormat(kind="gray"), "av1").sigma.max() == 0
