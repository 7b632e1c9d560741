"""A clip that is encoded and decoded again in memory."""

import os
import sys

import numpy as np
import pytest

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
def test_coarser_coding_has_larger_quantisers_and_errors(codec, frames):
    fine, coarse = (recode(frames, PIXELS, codec, QUALITY[codec](q)).frames for q in (12, 44))
    if codec == "av1":
        assert {f.quantiser for f in fine} == {None}
    else:
        assert all(np.isfinite(f.quantiser) for f in fine)
        assert np.mean([f.quantiser for f in coarse]) > 1.5 * np.mean([f.quantiser for f in fine])
    assert error(frames, coarse) > 2 * error(frames, fine) > 0


@pytest.mark.parametrize(("codec", "told"), [("h264", 30), ("hevc", 30), ("mpeg2video", 30)])
def test_the_quantiser_is_the_one_the_encoder_was_given(codec, told, frames):
    decoded = recode(frames, PIXELS, codec, QUALITY[codec](30)).frames
    np.testing.assert_allclose([frame.quantiser for frame in decoded], told, atol=1)


def test_recoding_is_reproducible(frames):
    for codec in codecs():
        first, second = (recode(frames, PIXELS, codec, QUALITY[codec](30)).frames for _ in range(2))
        for a, b in zip(first, second):
            np.testing.assert_array_equal(a.planes[0], b.planes[0])


def test_coarser_streams_are_smaller(frames):
    fine, coarse = (recode(frames, PIXELS, "h264", QUALITY["h264"](q)).bytes for q in (12, 44))
    assert 0 < 2 * coarse < fine


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads are not scheduled so")
@pytest.mark.parametrize("codec", codecs())
def test_recoding_leaves_the_scheduling_policy_unchanged(frames, codec):
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    recode(frames, PIXELS, codec, QUALITY[codec](30))
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
