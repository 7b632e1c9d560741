"""Boxes around masks, masks of subsampled planes, and samples of every depth; and the warps of warp.py."""

import cv2
import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.samples import (
    bounding_box,
    luma_of,
    mask_at_scale,
    normalised_step,
    plane_groups,
    to_samples,
)
from vdiff_jax.stream.warp import sample_at, warp, warp_half_size


def test_a_box_holds_the_mask_and_its_margin():
    mask = np.zeros((40, 60), bool)
    assert bounding_box(mask, 3) is None
    mask[10, 2], mask[20, 50] = True, True
    assert bounding_box(mask, 3) == (slice(7, 24), slice(0, 54))


@pytest.mark.parametrize(("kind", "subsampling"), [("yuv", (1, 1)), ("yuv", (2, 2)), ("rgb", (1, 1)), ("gray", (1, 1))])
def test_planes_are_grouped_by_their_size(kind, subsampling):
    pixels = PixelFormat(kind=kind, subsampling=subsampling, alpha=True)
    shapes = pixels.plane_shapes(12, 8)
    for (down, across), numbers in plane_groups(pixels):
        assert {shapes[number] for number in numbers} == {(8 // down, 12 // across)}
    grouped = [number for _, numbers in plane_groups(pixels) for number in numbers]
    assert grouped == list(range(pixels.channels - 1))


def test_a_chroma_sample_is_masked_where_any_of_its_pixels_is():
    mask = np.zeros((5, 7), bool)
    mask[1, 2] = mask[4, 6] = True
    np.testing.assert_array_equal(np.argwhere(mask_at_scale(mask, (2, 2))), [[0, 1], [2, 3]])


def test_integers_are_rounded_and_clipped_and_floats_are_not():
    pixels = PixelFormat(kind="gray", bits=10)
    values = np.array([-3.0, 1.6, 2000.0], np.float32)
    np.testing.assert_array_equal(to_samples(values, np.dtype(np.uint16), pixels), [0, 2, 1023])
    np.testing.assert_array_equal(to_samples(values, np.dtype(np.float32), pixels), values)
    assert normalised_step(np.zeros(1, np.uint16), pixels) == 1 / 1023
    assert normalised_step(np.zeros(1, np.float32), pixels) == 1


def test_luma_of_rgb_is_green():
    planes = tuple(np.full((2, 2), value, np.uint8) for value in (10, 51, 30))
    np.testing.assert_allclose(luma_of(Frame(planes, 0), PixelFormat(kind="rgb")), 0.2)


def test_warps_are_scipys():
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.random((20, 30), np.float32), (0, 0), 2)
    flow = rng.uniform(-4, 4, (20, 30, 2)).astype(np.float32)
    y, x = np.mgrid[:20, :30]
    expected = map_coordinates(image, [y + flow[..., 1], x + flow[..., 0]], order=1, mode="nearest")
    np.testing.assert_allclose(warp(image, flow), expected, atol=0.01)
    points = rng.uniform(-2, 30, (700, 2)).astype(np.float32)
    expected = map_coordinates(image, points.T[::-1], order=1, mode="nearest")
    np.testing.assert_allclose(sample_at(image, points), expected, atol=0.01)


def test_a_half_size_picture_moves_by_half():
    small = np.zeros((16, 24), np.uint8)
    small[8, 12] = 255
    moved = warp_half_size(small, np.full((8, 12, 2), (8, -4), np.float32))
    np.testing.assert_array_equal(np.argwhere(moved), [[10, 8]])
