"""Packed formats become planes without loss."""

from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest

from vdiff_jax.media.planes import frame_of, pixel_format, planes_of


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


def test_upside_down_frames_are_flipped():
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
