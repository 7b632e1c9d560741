"""Formats without planes lose nothing; conversions agree with the standards' formulas."""

from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest

from vdiff_jax.media.colour import convert, downsample_chroma, from_rgb, to_rgb, upsample_chroma
from vdiff_jax.media.planes import frame_of, pixel_format, planes_of
from vdiff_jax.media.video import rotation_of, turn, turn_back
from vdiff_jax.pixels import PixelFormat


def _packed(fmt, width, height, seed=0):
    """A packed frame of noise and its raw bytes, h times the line's useful bytes."""
    frame = av.VideoFrame(width, height, fmt)
    noise = np.random.default_rng(seed)
    for plane in frame.planes:
        np.frombuffer(plane, np.uint8)[:] = noise.integers(0, 256, plane.buffer_size, dtype=np.uint8)
    return frame


def _bytes(frame, plane=0):
    view = frame.planes[plane]
    return np.frombuffer(view, np.uint8).reshape(view.height, view.line_size)


def _planes(frame):
    pixels = pixel_format(frame.format, height=frame.height)
    return planes_of(frame, pixels), pixels


def test_nv12_is_yuv420p():
    frame = _packed("nv12", 64, 48)
    planes, pixels = _planes(frame)
    assert pixels.name == "yuv420p"
    assert np.array_equal(planes[0], _bytes(frame)[:, :64])
    assert np.array_equal(planes[1], _bytes(frame, 1)[:, 0:64:2])
    assert np.array_equal(planes[2], _bytes(frame, 1)[:, 1:64:2])


def test_p010_is_yuv420p10():
    frame = _packed("p010le", 64, 48)
    words = [np.frombuffer(p, np.uint16) for p in frame.planes]
    for plane in words:
        plane[:] &= 0xFFC0
    planes, pixels = _planes(frame)
    assert pixels.name == "yuv420p10le"
    assert np.array_equal(planes[0], words[0].reshape(48, -1)[:, :64] >> 6)
    assert np.array_equal(planes[2], words[1].reshape(24, -1)[:, 1:64:2] >> 6)


def test_yuyv422_is_yuv422p():
    frame = _packed("yuyv422", 64, 48)
    planes, pixels = _planes(frame)
    assert pixels.name == "yuv422p"
    for plane, known in zip(planes, (slice(0, 128, 2), slice(1, 128, 4), slice(3, 128, 4)), strict=True):
        assert np.array_equal(plane, _bytes(frame)[:, known])


@pytest.mark.parametrize(
    ("fmt", "order", "step"), [("rgb24", (0, 1, 2), 3), ("bgr24", (2, 1, 0), 3), ("bgr0", (2, 1, 0), 4)]
)
def test_packed_rgb_is_gbrp(fmt, order, step):
    frame = _packed(fmt, 53, 47)
    planes, pixels = _planes(frame)
    assert (pixels.name, pixels.full_range) == ("gbrp", True)
    for plane, channel in zip(planes, order, strict=True):
        assert np.array_equal(plane, _bytes(frame)[:, channel : 53 * step : step])


def test_bgra_keeps_its_alpha():
    frame = _packed("bgra", 53, 47)
    planes, pixels = _planes(frame)
    assert pixels.name == "gbrap"
    assert np.array_equal(planes[3], _bytes(frame)[:, 3 : 53 * 4 : 4])


def test_rgb48_is_gbrp16():
    frame = _packed("rgb48le", 53, 47)
    planes, pixels = _planes(frame)
    assert pixels.name == "gbrp16le"
    known = np.frombuffer(frame.planes[0], np.uint16).reshape(47, -1)
    assert all(np.array_equal(planes[i], known[:, i : 53 * 3 : 3]) for i in range(3))


def test_a_palette_is_looked_up():
    frame = _packed("pal8", 64, 48)
    palette = np.frombuffer(frame.planes[1], np.uint8).reshape(256, 4)
    palette[:, 3] = 255
    planes, pixels = _planes(frame)
    assert pixels.name == "gbrp"
    truth = palette[_bytes(frame)[:, :64]]
    assert np.array_equal(np.stack(planes, -1), truth[..., [2, 1, 0]])


@pytest.mark.parametrize("name", ["yuv420p", "yuv410p", "gbrap12le", "gray", "yuva444p10le"])
def test_frames_and_planes_are_inverse(name):
    pixels = pixel_format(av.VideoFormat(name), height=47)
    assert pixels.name == name
    noise = np.random.default_rng(1)
    planes = tuple(noise.integers(0, pixels.peak + 1, s).astype(pixels.dtype) for s in pixels.plane_shapes(53, 47))
    frame = frame_of(planes, pixels)
    assert frame.format.name == name
    assert all(np.array_equal(a, b) for a, b in zip(planes_of(frame, pixels), planes, strict=True))


def test_upside_down_frames_are_turned():
    frame = _packed("yuv420p", 64, 48)
    upright, pixels = _planes(frame)
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(width=64, height=48, format="yuv420p", time_base=Fraction(1, 25)),
        graph.add("vflip"),
        graph.add("buffersink"),
    ).configure()
    frame.pts = 0
    graph.vpush(frame)
    flipped = graph.vpull()
    assert flipped.planes[0].line_size < 0
    assert all(np.array_equal(a[::-1], b) for a, b in zip(upright, planes_of(flipped, pixels), strict=True))


# Kr, Kb of the standards; equations of BT.601-7 and BT.709-6 section 3, BT.2020-2 table 4, written out anew.
STANDARDS = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722), "bt2020": (0.2627, 0.0593)}


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", STANDARDS)
def test_rgb_by_the_standards_formula(matrix, full, bits):
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


def test_left_siting_is_mpeg2_s():
    """4:2:0's chroma sample lies on the even luma columns, between two lines."""
    x, y = np.meshgrid(np.arange(16, dtype=np.float32), np.arange(16, dtype=np.float32))
    assert downsample_chroma(x, (2, 2), False)[3, 3] == 6.0
    assert downsample_chroma(y, (2, 2), False)[3, 3] == 6.5


def test_deeper_and_shallower():
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


@pytest.mark.parametrize("a", [(65536, 0), (0, 65536), (-65536, 0), (0, -65536)])
@pytest.mark.parametrize("mirrored", [1, -1])
def test_turning(a, mirrored):
    """Turning agrees with moving each pixel by the matrix; turning back undoes it."""
    u, v = a
    matrix = (u * mirrored, v * mirrored, 0, -v, u, 0, 0, 0, 1 << 30)
    plane = np.arange(12).reshape(3, 4)
    turned = turn(plane, matrix)
    positions = {}
    for y in range(3):
        for x in range(4):
            positions[int(plane[y, x])] = (matrix[0] * x + matrix[3] * y, matrix[1] * x + matrix[4] * y)
    left, top = (min(p[i] for p in positions.values()) for i in (0, 1))
    for value, (x, y) in positions.items():
        assert turned[(y - top) >> 16, (x - left) >> 16] == value
    assert np.array_equal(turn_back(turned, matrix), plane)
    if mirrored == 1:
        assert rotation_of(matrix) == {(65536, 0): 0, (0, 65536): 90, (-65536, 0): 180, (0, -65536): 270}[a]
