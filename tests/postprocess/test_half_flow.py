"""The flow of the Wiener step: measured at half size, enlarged for all or for some rows of a plane."""

import cv2
import numpy as np
import pytest

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.half_flow import enlarged, grid, half_size, measured
from vdiff_jax.stream.dis import WIENER, make_dis

GREY = PixelFormat(kind="gray", full_range=True)
DEEP = PixelFormat(kind="gray", full_range=True, bits=10)


def texture() -> np.ndarray:
    noise = np.random.default_rng(0).normal(128, 300, (120, 168)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(noise, (0, 0), 3), 0, 255).astype(np.uint8)


def test_a_shift_of_full_size_is_half_of_it_at_half_size_and_comes_back():
    here, there = texture()[:, 4:164], texture()[:, :160]  # what is here lies 4 pixels to the right there
    flow = measured(make_dis(WIENER), half_size(here, GREY), half_size(there, GREY))
    np.testing.assert_allclose(np.median(flow, axis=(0, 1)), [2, 0], atol=0.1)
    whole = enlarged(flow, slice(0, 60), slice(0, 120), (120, 160), 60)
    np.testing.assert_allclose(np.median(whole, axis=(0, 1)), [4, 0], atol=0.2)
    some = enlarged(flow[18:42], slice(18, 42), slice(40, 80), (120, 160), 60)
    np.testing.assert_allclose(some, whole[40:80], atol=1e-4)


def test_small_pictures_have_no_motion():
    picture = texture()[:20, :60]
    assert not measured(make_dis(WIENER), picture, np.roll(picture, 2, axis=1)).any()


@pytest.mark.parametrize("pixels", [GREY, DEEP])
def test_half_size_luma_has_8_bits_and_odd_sides_are_rounded_up(pixels):
    luma = np.full((31, 45), 100 << (pixels.bits - 8), pixels.dtype)
    half = half_size(luma, pixels)
    assert (half.shape, half.dtype) == ((16, 23), np.uint8)
    assert (half == 100).all()


def test_the_grid_has_x_and_y_of_its_rows():
    assert grid(slice(3, 5), 2).tolist() == [[[0, 3], [1, 3]], [[0, 4], [1, 4]]]
