"""FFmpeg's filters, applied to frames."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax.media.filters import apply_filters, has_filter, run_filters
from vdiff_jax.media.planes import frame_of
from vdiff_jax.pixels import Frame, PixelFormat

PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2))


def test_filters_run_in_order_and_keep_the_format(noise_planes):
    frames = [Frame(noise_planes(PIXELS, 32, 16, seed), 7 * seed) for seed in range(3)]
    filtered = apply_filters(frames, PIXELS, [("hflip", ""), ("format", "pix_fmts=yuv444p"), ("negate", "")])
    assert [frame.pts for frame in filtered] == [0, 1, 2]
    for frame, before in zip(filtered, frames, strict=True):
        assert [plane.shape for plane in frame.planes] == [plane.shape for plane in before.planes]
        np.testing.assert_array_equal(frame.planes[0], 255 - before.planes[0][:, ::-1])


def test_the_graph_follows_a_change_of_size(noise_planes):
    pictures = [frame_of(noise_planes(PIXELS, width, 16), PIXELS) for width in (32, 32, 48)]
    for number, picture in enumerate(pictures):
        picture.pts, picture.time_base = number, Fraction(1)
    filtered = list(run_filters(iter(pictures), [("null", "")], Fraction(1)))
    assert [(picture.width, picture.pts) for picture in filtered] == [(32, 0), (32, 1), (48, 2)]


def test_options_that_a_filter_rejects_are_errors(noise_planes):
    with pytest.raises(av.FFmpegError):
        apply_filters([Frame(noise_planes(PIXELS, 32, 16), 0)], PIXELS, [("nlmeans", "s=-5")])


def test_filters_that_exist():
    assert has_filter("nlmeans")
    assert not has_filter("no_such_filter")
