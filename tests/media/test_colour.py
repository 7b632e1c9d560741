"""Conversions between pixel formats agree with the standards' formulas."""

import numpy as np
import pytest

from vdiff_jax.media.colour import convert, downsample_chroma, from_rgb, to_rgb, upsample_chroma
from vdiff_jax.pixels import PixelFormat

# Kr, Kb of the standards; equations of BT.601-7 and BT.709-6 section 3, BT.2020-2 table 4, written out anew.
STANDARDS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", STANDARDS)
def test_rgb_follows_the_standards_formula(matrix, full, bits):
    kr, kb = STANDARDS[matrix]
    noise = np.random.default_rng(2)
    rgb = noise.random((32, 40, 3))
    y = kr * rgb[..., 0] + (1 - kr - kb) * rgb[..., 1] + kb * rgb[..., 2]
    cb, cr = (rgb[..., 2] - y) / (2 - 2 * kb), (rgb[..., 0] - y) / (2 - 2 * kr)
    scale = 2 ** (bits - 8)
    peak = 2**bits - 1
    coded = (
        [y * peak, cb * peak + 2 ** (bits - 1), cr * peak + 2 ** (bits - 1)]
        if full
        else [(219 * y + 16) * scale, (224 * cb + 128) * scale, (224 * cr + 128) * scale]
    )
    pixels = PixelFormat(kind="yuv", bits=bits, full_range=full, matrix=matrix)
    planes = from_rgb(rgb, pixels)
    for plane, truth in zip(planes, coded, strict=True):
        assert np.abs(plane - np.clip(truth, 0, peak)).max() <= 0.501
    back = to_rgb(planes, pixels)
    assert np.abs(back - rgb).max() < 2.2 / (219 * scale)


@pytest.mark.parametrize("subsampling", [(2, 2), (2, 1), (4, 1), (1, 2)])
@pytest.mark.parametrize("centred", [False, True])
def test_chroma_stays_in_its_place(subsampling, centred):
    """A ramp survives the way down and up again away from the border: a shift of siting would show as an offset."""
    x, y = np.meshgrid(np.arange(41, dtype=np.float32), np.arange(37, dtype=np.float32))
    ramp = 0.01 * x + 0.02 * y
    small = downsample_chroma(ramp, subsampling, centred)
    assert small.shape == (-(-37 // subsampling[1]), -(-41 // subsampling[0]))
    large = upsample_chroma(small, ramp.shape, subsampling, centred)
    assert np.abs(large - ramp)[5:-5, 5:-5].max() < 1e-5


def test_chroma_is_sited_as_in_mpeg2():
    """4:2:0's chroma sample lies on the even luma columns, between two lines."""
    x, y = np.meshgrid(np.arange(16, dtype=np.float32), np.arange(16, dtype=np.float32))
    assert downsample_chroma(x, (2, 2), False)[3, 3] == 6.0
    assert downsample_chroma(y, (2, 2), False)[3, 3] == 6.5


def test_more_bits_and_back_are_lossless():
    noise = np.random.default_rng(3)
    shallow = PixelFormat(kind="yuv", bits=8, subsampling=(2, 2))
    deep = PixelFormat(kind="yuv", bits=10, subsampling=(2, 2))
    planes = tuple(noise.integers(0, 256, s, dtype=np.uint8) for s in shallow.plane_shapes(9, 7))
    up = convert(planes, shallow, deep)
    assert all(np.array_equal(u, p.astype(np.uint16) << 2) for u, p in zip(up, planes, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(convert(up, deep, shallow), planes, strict=True))


def test_gray_becomes_neutral_colour():
    gray = PixelFormat(kind="gray", full_range=True)
    planes = convert((np.array([[0, 255]], np.uint8),), gray, PixelFormat(kind="yuv", subsampling=(2, 2)))
    assert [p.tolist() for p in planes] == [[[16, 235]], [[128]], [[128]]]
