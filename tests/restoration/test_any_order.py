"""Frames in any order from a restoration that runs forward only."""

import numpy as np
import pytest

from vdiff_jax.pixels import Frame
from vdiff_jax.restoration.any_order import AnyOrder


class Counted:
    """A restoration of 20 frames that notes which ones it made, and how often it began."""

    def __init__(self):
        self.made, self.begun = [], 0

    def begin(self):
        self.begun += 1
        for number in range(20):
            self.made.append(number)
            yield Frame((np.full((2, 2), number, np.uint8),), number)


def test_frames_in_order_are_made_once():
    source = Counted()
    results = AnyOrder(source.begin, 4)
    assert [results.frame(n).pts for n in range(20)] == list(range(20))
    assert source.made == list(range(20))
    assert source.begun == 1


def test_each_frame_is_the_same_in_any_order():
    source, order = Counted(), np.random.default_rng(0).permutation(20)
    results = AnyOrder(source.begin, 3)
    assert [results.frame(int(n)).pts for n in order] == list(order)


def test_only_a_frame_that_is_kept_no_longer_begins_again():
    source = Counted()
    results = AnyOrder(source.begin, 5)
    results.frame(9)
    assert results.frame(5).pts == 5
    assert source.begun == 1
    assert results.frame(4).pts == 4
    assert source.begun == 2


def test_a_frame_after_the_end_is_named():
    results = AnyOrder(Counted().begin, 5)
    with pytest.raises(IndexError, match="there is no frame 20: the video has 20"):
        results.frame(20)
    assert results.frame(19).pts == 19
