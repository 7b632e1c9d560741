"""Resized planes: a ramp stays a ramp, chroma keeps its siting. The filter: tests/preprocess/test_resample.py."""

import numpy as np
import pytest

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.stream.resize import resized_planes


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("width", [96, 32])
def test_a_ramp_of_luma_and_chroma_stays_one(width, full_range):
    pixels = PixelFormat(kind="yuv", bits=10, subsampling=(2, 2), full_range=full_range)

    def ramp(columns):
        """Level x at each place x of the picture, in [0, 1]: chroma's samples lie on the first of their two pixels."""
        luma = (np.arange(columns) + 0.5) / columns
        chroma = (2 * np.arange(columns // 2) + (1.0 if full_range else 0.5)) / columns
        rows = (24, 12, 12)
        lines = [np.rint(1000 * line).astype(np.uint16) for line in (luma, chroma, chroma)]
        return tuple(np.broadcast_to(line, (count, len(line))) for line, count in zip(lines, rows))

    for ours, expected in zip(resized_planes(ramp(64), pixels, (24, width)), ramp(width), strict=True):
        assert ours.dtype == np.uint16
        inner = slice(4, -4)
        np.testing.assert_allclose(ours[:, inner].astype(int), expected[:, inner], atol=2)


def test_the_same_size_is_the_same_planes():
    planes = tuple(np.zeros((8, 8), np.uint8) for _ in range(3))
    assert resized_planes(planes, PixelFormat(kind="rgb"), (8, 8)) is planes


def test_floats_are_neither_clipped_nor_rounded():
    edge = np.repeat(np.array([[0.0, 1.3]], np.float32), 4, axis=1) * np.ones((8, 1), np.float32)
    (wide,) = resized_planes((edge,), PixelFormat(kind="gray"), (8, 12))
    assert wide.dtype == np.float32
    assert wide.min() < 0
    assert wide.max() > 1.3
