"""Analysed frames and the chunks that chunks.py cuts them into: holes filled, shots kept apart, look-ahead in place."""

import itertools

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.chunks import cut_into_chunks

GRAY = PixelFormat(kind="gray", full_range=True)


def shot(seed, count):
    """Frames of one still picture with a pts that counts up; another picture for each seed."""
    picture = np.random.default_rng(seed).integers(0, 255, (5, 7), np.uint8).repeat(8, 0).repeat(8, 1)[:37, :53]
    return [picture.copy() for _ in range(count)]


def frames(*counts):
    pictures = [picture for seed, count in enumerate(counts) for picture in shot(seed, count)]
    return [Frame((picture,), n) for n, picture in enumerate(pictures)]


@pytest.fixture(scope="module")
def chunks():
    items = list(analyse(frames(5, 3), itertools.repeat(None), GRAY, 8))
    return list(cut_into_chunks(items, 4))


def test_shots_start_where_the_picture_changes():
    items = list(analyse(frames(5, 3), itertools.repeat(None), GRAY, 8))
    assert [item.starts_shot for item in items] == [True, *[False] * 4, True, False, False]
    assert [item.flow_frame.time for item in items] == list(range(8))
    assert items[0].flow_frame.size == (40, 56)
    assert items[0].flow_frame.small.shape == (20, 28)


def test_the_picture_for_optical_flow_may_be_larger():
    (item,) = analyse(frames(1), itertools.repeat(None), GRAY, 8, scale=2)
    assert item.flow_frame.size == (80, 112)


def test_holes_are_filled_and_their_error_is_infinite_until_propagation():
    mask = np.zeros((37, 53), bool)
    mask[10:12, 10:12] = True
    given = Frame((np.where(mask, np.uint8(255), np.uint8(90)),), 0)
    (item,) = analyse([given], [mask], GRAY, 8)
    np.testing.assert_array_equal(item.frame.planes[0], 90)
    np.testing.assert_array_equal(item.expected_error, np.where(mask, np.inf, 0))
    assert item.flow_frame.known.shape == (10, 14)
    (empty,) = analyse([given], [np.ones((37, 53), bool)], GRAY, 8)
    assert empty.flow_frame.small is None
    np.testing.assert_array_equal(empty.frame.planes[0], given.planes[0])


def test_chunks_hold_all_frames_once_and_none_crosses_a_cut(chunks):
    assert [[frame.pts for frame in chunk.shown] for chunk in chunks] == [[0, 1, 2, 3], [4], [5, 6, 7]]
    assert [chunk.starts_shot for chunk in chunks] == [True, False, True]


def test_chunks_are_of_one_size_and_flag_what_is_missing(chunks):
    assert {chunk.planes[0].shape for chunk in chunks} == {(5, 37, 53)}
    assert {chunk.velocity.shape for chunk in chunks} == {(4, 10, 14, 4)}
    np.testing.assert_array_equal([c.valid for c in chunks], [[1, 1, 1, 1, 1], [1, 0, 0, 0, 0], [1, 1, 1, 0, 0]])


def test_the_look_ahead_is_the_next_frame_of_the_shot(chunks):
    assert chunks[0].time[-1] == 4
    np.testing.assert_array_equal(chunks[0].planes[0][-1], chunks[1].planes[0][0])
    np.testing.assert_array_equal(chunks[1].planes[0], np.broadcast_to(chunks[1].planes[0][0], (5, 37, 53)))
    assert np.isnan(chunks[0].quantisers).all()
    assert chunks[0].error is None
