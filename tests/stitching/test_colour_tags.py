"""Inputs of another dynamic range or gamut are refused with a line; small differences and lost bits are said."""

import numpy as np
import pytest

from vdiff_jax.errors import StitchError
from vdiff_jax.stitching import stitch
from vdiff_jax.stitching.colour_tags import check_colours, other_primaries
from vdiff_jax.stitching.source import open_sources


def test_another_dynamic_range_is_refused(write, tmp_path):
    hdr, sdr = write("hdr.mkv", transfer=16, primaries=9, bits=10), write("sdr.mkv")
    with pytest.raises(StitchError, match=r"input 1 \(hdr\.mkv\) is PQ and input 2 \(sdr\.mkv\) is SDR"):
        stitch([hdr, sdr], tmp_path / "film.mkv", layout="sequence")
    assert not (tmp_path / "film.mkv").exists()
    with pytest.raises(StitchError, match=r"is SDR and .* is HLG"):
        check_colours(open_sources([sdr, write("hlg.mkv", transfer=18)]))


def test_another_gamut_is_refused(write):
    with pytest.raises(StitchError, match=r"is BT\.709 and .* is BT\.2020: convert one to the other's gamut"):
        check_colours(open_sources([write("one.mkv"), write("two.mkv", primaries=9)]))


def test_slightly_different_primaries_are_said(write):
    (said,) = other_primaries(open_sources([write("one.mkv"), write("two.mkv", primaries=6)]))
    assert said == "the BT.601 primaries of input 2 (two.mkv), whose colours are not converted to BT.709"


def test_equal_and_untagged_colours_are_no_matter(write):
    array = np.zeros((2, 48, 64, 3), np.uint8)
    sources = open_sources([write("one.mkv"), write("two.mkv", primaries=2, transfer=2), array])
    check_colours(sources)
    assert other_primaries(sources) == other_primaries(open_sources([array])) == []
