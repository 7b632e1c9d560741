"""Variants of a track: their sizes, the frames that they keep, and how frames are resized and left out."""

import itertools
from fractions import Fraction
from functools import partial

import jax
import numpy as np
import pytest

from vdiff_jax import media
from vdiff_jax.compression.track import Variant, every_second, resize_frames, resized_info, smaller_variants
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.resample import resample
from vdiff_jax.stream.resize import along_rows, cubic

YUV = PixelFormat(kind="yuv", subsampling=(2, 2), bits=10, matrix="bt709")


def info(**changes) -> media.VideoInfo:
    return media.VideoInfo(**{"width": 97, "height": 66, "pixels": YUV, **changes})


def numbered(count: int) -> list[Frame]:
    return [Frame((np.full((2, 2), n),), 10 * n + n % 3, 10) for n in range(count)]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8])
def test_half_rate_keeps_every_second_frame_and_the_last(count):
    numbers = Variant((2, 2), half_rate=True).kept_frames(range(count), count)
    frames, kept = numbered(count), list(every_second(numbered(count)))
    assert [int(frame.planes[0][0, 0]) for frame in kept] == numbers == sorted({*range(0, count, 2), count - 1})
    assert [frame.pts for frame in kept] == [frames[n].pts for n in numbers]
    for frame, following in itertools.pairwise(kept):
        assert frame.pts + frame.duration == following.pts
    assert kept[-1].duration == 10


def test_a_window_keeps_what_the_whole_track_keeps():
    variant = Variant((2, 2), half_rate=True)
    assert variant.kept_frames(range(4, 10), 11) == [4, 6, 8]
    assert variant.kept_frames(range(4, 10), 10) == [4, 6, 8, 9]
    assert variant.kept_part(slice(2, 10)) == slice(1, 5)
    assert Variant((2, 2)).kept_part(slice(2, 10)) == slice(2, 10)


def test_a_variant_changes_size_and_rate_of_the_source_s_properties():
    half = Variant((32, 48), half_rate=True).info(info(rate=Fraction(24)))
    assert (half.height, half.width, half.rate) == (32, 48, 12)


def test_smaller_sizes_are_even_and_not_too_small():
    assert [v.shape for v in smaller_variants(info(height=130, width=193))] == [(104, 154), (86, 128), (64, 96)]
    assert [v.shape for v in smaller_variants(info(height=97))] == [(78, 78), (64, 64)]
    assert smaller_variants(info(height=130, width=193, interlaced=True)) == []


def test_the_matrix_is_named_where_the_new_size_suggests_another():
    large = info(width=1280, height=720)
    assert resized_info(large, (360, 640)).tags.matrix == 1
    assert resized_info(large, (720, 960)).tags.matrix == 2
    assert resized_info(info(), (32, 48)).tags.matrix == 2


def test_the_filter_is_that_of_superres():
    column = np.random.default_rng(2).uniform(0, 1, (33, 3)).astype(np.float32)
    ours = along_rows(column, *cubic(33, 22, 2 / 3, 0.125))
    theirs = jax.jit(partial(resample, size=(22, 3), scale=(2 / 3, 1.0), shift=(0.125, 0.0)))(column)
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_chroma_keeps_its_position_relative_to_luma():
    """Each sample's value is its position. Chroma lies on the first of two pixels across, and between two down."""
    y, x = np.mgrid[:64, :96]
    planes = (8 * x, 8 * (2 * x[:32, :48]), 8 * (2 * y[:32, :48] + 0.5))
    frame = Frame(tuple(plane.astype(np.uint16) for plane in planes), 5, 2)
    (small,) = resize_frames([frame], YUV, (32, 48))
    assert (small.pts, small.duration) == (5, 2)
    # Sample 0 of a small plane lies in the middle of the first two of luma.
    inside = np.s_[4:-4, 4:-4]
    y, x = np.mgrid[:32, :48]
    np.testing.assert_allclose(small.planes[0][inside], (8 * (2 * x + 0.5))[inside], atol=1)
    np.testing.assert_allclose(small.planes[1][inside], (8 * (4 * x + 0.5))[:16, :24][inside], atol=1)
    np.testing.assert_allclose(small.planes[2][inside], (8 * (4 * y + 1.5))[:16, :24][inside], atol=1)
    (back,) = resize_frames([small], YUV, (64, 96))
    for plane, once in zip(frame.planes, back.planes, strict=True):
        np.testing.assert_allclose(once[8:-8, 8:-8], plane[8:-8, 8:-8].astype(int), atol=1)
