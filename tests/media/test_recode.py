"""A clip through a codec and back, and the quantisers that the stream tells."""

import os
import sys

import numpy as np
import pytest

from vdiff_jax.media import open_reader
from vdiff_jax.media.recode import codecs, recode
from vdiff_jax.pixels import Frame, PixelFormat

PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2), matrix="bt601")
QUALITY = {
    "h264": lambda q: {"qp": str(q), "preset": "veryfast", "x264-params": "ipratio=1:pbratio=1"},
    "hevc": lambda q: {"preset": "ultrafast", "x265-params": f"qp={q}:ipratio=1:pbratio=1:log-level=none:pools=none"},
    "av1": lambda q: {"preset": "10", "crf": str(q * 63 // 51), "svtav1-params": "lp=1"},
    "vp9": lambda q: {"crf": str(q), "b": "0", "deadline": "realtime", "cpu-used": "8"},
    "mpeg2video": lambda q: {"qmin": str(q // 2), "qmax": str(q // 2), "bf": "1"},
}


def planes(shift: int) -> tuple[np.ndarray, ...]:
    """A textured picture that moves."""
    y, x = np.mgrid[:64, :96] + shift
    luma = 120 + 50 * np.sin(x / 3) * np.sin(y / 4) + 20 * np.sin(x * y / 50)
    return tuple(plane.astype(np.uint8) for plane in (luma, luma[::2, ::2] / 2 + 60, 190 - luma[::2, ::2] / 2))


@pytest.fixture(scope="module")
def frames():
    return [Frame(planes(n), n) for n in range(6)]


def error(a, b):
    return float(np.mean([np.abs(x.planes[0].astype(float) - y.planes[0]).mean() for x, y in zip(a, b, strict=True)]))


@pytest.mark.parametrize("codec", codecs())
def test_coarser_quantisers_are_told_and_leave_larger_errors(codec, frames):
    fine, coarse = (recode(frames, PIXELS, codec, QUALITY[codec](q)).frames for q in (12, 44))
    if codec == "av1":
        assert {f.quantiser for f in fine} == {None}
    else:
        assert all(np.isfinite(f.quantiser) for f in fine)
        assert np.mean([f.quantiser for f in coarse]) > 1.5 * np.mean([f.quantiser for f in fine])
    assert error(frames, coarse) > 2 * error(frames, fine) > 0


@pytest.mark.parametrize(("codec", "told"), [("h264", 30), ("hevc", 30), ("mpeg2video", 30)])
def test_the_quantiser_is_what_the_encoder_was_given(codec, told, frames):
    decoded = recode(frames, PIXELS, codec, QUALITY[codec](30)).frames
    np.testing.assert_allclose([frame.quantiser for frame in decoded], told, atol=1)


def test_recoding_is_the_same_each_time(frames):
    for codec in codecs():
        first, second = (recode(frames, PIXELS, codec, QUALITY[codec](30)).frames for _ in range(2))
        for a, b in zip(first, second):
            np.testing.assert_array_equal(a.planes[0], b.planes[0])


@pytest.mark.parametrize(("codec", "name"), [("libx264", "clip.mp4"), ("libx265", "clip.mkv")])
def test_reading_a_file_tells_them_too(make_clip, codec, name):
    options = {"crf": "40", "x265-params": "log-level=none"} if codec == "libx265" else {"crf": "40"}
    clip = make_clip(name, codec=codec, options=options, smooth=True, count=5, fmt="yuv420p")
    with open_reader(clip.path) as reader:
        assert all(25 < frame.quantiser <= 51 for frame in reader)


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"preset": "slow", "crf": "30"}), ("mpeg4", {"bf": "2"})])
def test_a_file_tells_the_same_each_time(make_clip, codec, options):
    clip = make_clip("clip.mp4", codec=codec, options=options, count=16, size=(480, 320), fmt="yuv420p")
    told = set()
    for _ in range(6):
        with open_reader(clip.path) as reader:
            told.add(tuple(frame.quantiser for frame in reader))
    assert len(told) == 1
    assert all(1 < quantiser <= 62 for quantiser in told.pop())


def test_what_tells_none_has_none(make_clip):
    with open_reader(make_clip("clip.mkv", codec="ffv1").path) as reader:
        assert {frame.quantiser for frame in reader} == {None}


def test_coarser_streams_are_smaller(frames):
    fine, coarse = (recode(frames, PIXELS, "h264", QUALITY["h264"](q)).bytes for q in (12, 44))
    assert 0 < 2 * coarse < fine


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads are not scheduled so")
@pytest.mark.parametrize("codec", codecs())
def test_the_thread_is_no_more_pressing_than_it_was(frames, codec):
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    recode(frames, PIXELS, codec, QUALITY[codec](30))
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
