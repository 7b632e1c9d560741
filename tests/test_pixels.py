"""Pixel formats: names, planes and weights of luma."""

import av
import numpy as np
import pytest

from vdiff_jax.pixels import LUMA_WEIGHTS, PixelFormat


@pytest.mark.parametrize(
    ("pixels", "name", "shapes"),
    [
        (PixelFormat(kind="yuv", subsampling=(2, 2)), "yuv420p", [(47, 53), (24, 27), (24, 27)]),
        (PixelFormat(kind="yuv", bits=10, subsampling=(2, 1)), "yuv422p10le", [(47, 53), (47, 27), (47, 27)]),
        (PixelFormat(kind="yuv", alpha=True), "yuva444p", [(47, 53)] * 4),
        (PixelFormat(kind="rgb", bits=16, full_range=True), "gbrp16le", [(47, 53)] * 3),
        (PixelFormat(kind="gray", bits=12), "gray12le", [(47, 53)]),
    ],
)
def test_names_and_planes_are_ffmpegs(pixels, name, shapes):
    assert pixels.name == name
    assert list(pixels.plane_shapes(53, 47)) == shapes
    frame = av.VideoFrame(53, 47, name)
    assert [(plane.height, plane.width) for plane in frame.planes] == shapes
    assert pixels.channels == len(shapes)
    assert (pixels.dtype, pixels.peak) == (np.uint8 if pixels.bits == 8 else np.uint16, 2**pixels.bits - 1)


def test_an_even_mix_of_colours_has_a_luma_of_one():
    """Green's weight is what red and blue leave: 0.587, 0.7152 and 0.678 by the standards."""
    green = {matrix: 1 - red - blue for matrix, (red, blue) in LUMA_WEIGHTS.items()}
    assert green == pytest.approx({"bt601": 0.587, "bt709": 0.7152, "bt2020": 0.678})
