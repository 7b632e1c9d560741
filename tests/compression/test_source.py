"""Sources: clips in memory, and when their exact time stamps have to be stored."""

from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax.compression.source import open_source, timestamps_of
from vdiff_jax.errors import InputError
from vdiff_jax.media import VideoInfo
from vdiff_jax.pixels import PixelFormat

INFO = VideoInfo(width=8, height=8, pixels=PixelFormat(kind="gray"), rate=Fraction(25), time_base=Fraction(1, 1000))


def test_a_clip_can_be_read_twice():
    clip = np.arange(3 * 4 * 6 * 3, dtype=np.uint8).reshape(3, 4, 6, 3)
    source = open_source(clip, 24)
    for _ in range(2):
        with source.frames() as frames:
            pictures = [np.stack(frame.planes, axis=-1) for frame in frames]
        np.testing.assert_array_equal(pictures, clip)
    assert (source.info.rate, source.info.frames, source.path) == (24, 3, None)


def test_stdin_is_refused():
    with pytest.raises(InputError, match="pass a file"):
        open_source("-", 25)


def test_whole_milliseconds_need_no_time_stamps():
    times = [(40 * n, 40) for n in range(5)]
    assert timestamps_of(times, INFO) is None
    assert timestamps_of(times, INFO, always=True).times == [0, 40, 80, 120, 160]


def test_the_last_frame_lasts_as_long_as_the_one_before_if_nothing_else_is_known():
    third = VideoInfo(**{**INFO.__dict__, "time_base": Fraction(1, 30)})
    assert timestamps_of([(0, 1), (1, 2), (3, None)], third).steps == (1, 2, 2)
    assert timestamps_of([(5, None)], third).steps == (1,)
