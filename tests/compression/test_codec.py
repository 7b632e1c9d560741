"""The codecs' scales of crf. What they refuse is tested in test_compress.py."""

import pytest

from vdiff_jax.compression.codec import CODECS


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_a_coarser_crf_is_on_the_codec_s_grid_and_in_its_range(codec):
    for octaves in (-9.0, -1.0, -0.3, 0.0, 0.01, 0.5, 2.0, 9.0):
        crf = codec.coarser(codec.crf, octaves)
        assert 1 <= crf <= codec.highest_crf
        assert crf / codec.crf_step == pytest.approx(round(crf / codec.crf_step))
        assert crf >= min(codec.crf + codec.octave * octaves, codec.highest_crf)


def test_whole_crfs_are_written_for_av1():
    assert CODECS["av1"].options(35.0, None) == {"crf": "35", "preset": "6"}
    assert CODECS["h264"].options(23.5, "slow") == {"crf": "23.50", "preset": "slow", "psy": "0"}
