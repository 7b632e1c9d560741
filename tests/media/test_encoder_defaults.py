"""The default quality of encoders."""

import pytest

from vdiff_jax.media import PixelFormat, VideoInfo
from vdiff_jax.media.encoder_defaults import CRF_AFTER_NOISE, DEFAULT_OPTIONS
from vdiff_jax.media.encoders import choose_encoding


@pytest.mark.parametrize("codec", sorted(CRF_AFTER_NOISE))
def test_the_default_quality_is_finer_after_weak_noise(codec):
    def crf(noise, options=None):
        return float(_encoding(codec, noise, options)["crf"])

    plain = float(DEFAULT_OPTIONS[codec]["crf"])
    assert 1 <= crf(2.0) == crf(5.0) < crf(7.0) < crf(10.0) < crf(14.0) < crf(20.0) == crf(50.0) == crf(None) == plain
    assert crf(5.0, {"crf": "30"}) == 30


def test_a_given_quality_leaves_all_other_defaults():
    assert _encoding("libx264", 5.0, {"crf": "30"}) == _encoding("libx264", None, {"crf": "30"})
    assert "crf" not in _encoding("libx264", 5.0, {"qp": "20"})
    assert _encoding("libx264", 5.0, {"preset": "fast"})["preset"] == "fast"
    assert _encoding("ffv1", 5.0, None) == _encoding("ffv1", None, None)


def _encoding(codec, noise, options):
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="yuv", full_range=False, subsampling=(2, 2)))
    return choose_encoding("matroska", info, codec, options, noise=noise).options
