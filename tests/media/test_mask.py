"""Masks: pixels that are at least half white are filled; wrong sizes and lengths are errors."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax.errors import MaskError
from vdiff_jax.media import (
    Frame,
    PixelFormat,
    VideoInfo,
    mask_union,
    open_reader,
    open_writer,
    probe,
    read_mask,
    write_picture,
)
from vdiff_jax.media.video import turn


def info_of(width=8, height=6, matrix=None, rotation=0):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2))
    return VideoInfo(width=width, height=height, pixels=pixels, display_matrix=matrix, rotation=rotation)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [False, True])
def test_a_still_mask(tmp_path, dtype, colour):
    peak = np.iinfo(dtype).max
    gray = np.zeros((6, 8), dtype)
    gray[1:3, 2:5] = peak
    gray[5, 7] = peak // 2 + 1
    gray[5, 6] = peak // 2 - peak // 100
    write_picture(tmp_path / "mask.png", gray[..., None].repeat(3, -1) if colour else gray)
    truth = np.zeros((6, 8), bool)
    truth[1:3, 2:5] = truth[5, 7] = True
    mask = read_mask(tmp_path / "mask.png", info_of())
    assert mask.dtype == bool
    assert np.array_equal(mask, truth)


def test_transparent_pixels_are_not_filled(tmp_path):
    picture = np.full((6, 8, 4), 255, np.uint8)
    picture[:, 4:, 3] = 0
    write_picture(tmp_path / "mask.png", picture)
    mask = read_mask(tmp_path / "mask.png", info_of())
    assert mask[:, :4].all()
    assert not mask[:, 4:].any()


def test_a_folder_holds_one_mask_a_frame(tmp_path):
    for i in range(12):
        picture = np.zeros((6, 8), np.uint8)
        picture[:, : i % 8] = 255
        write_picture(tmp_path / f"{i}.png", picture)
    with read_mask(tmp_path, info_of()) as masks:
        stream = iter(masks)
        assert [int(next(stream)[0].sum()) for _ in range(12)] == [i % 8 for i in range(12)]
        with pytest.raises(MaskError, match="has 12 pictures, the video has more frames"):
            next(stream)
    with read_mask(tmp_path, info_of(), start=0.2) as masks:
        assert int(next(iter(masks))[0].sum()) == 5


def test_the_union_of_a_moving_mask(tmp_path):
    for i in (1, 4, 2):
        picture = np.zeros((6, 8), np.uint8)
        picture[i, i:] = 255
        write_picture(tmp_path / f"{i}.png", picture)
    expected = np.zeros((6, 8), bool)
    for i in (1, 4, 2):
        expected[i, i:] = True
    np.testing.assert_array_equal(mask_union(tmp_path, info_of()), expected)
    later = expected & (np.arange(6) > 1)[:, None]
    np.testing.assert_array_equal(mask_union(tmp_path, info_of(), start=0.04), later)


@pytest.mark.parametrize("full", [False, True])
def test_a_video_holds_one_mask_a_frame(make_clip, full):
    """Half of luma's range counts as half white, in limited and in full range."""
    clip = make_clip(fmt="gray" if full else "yuv420p", count=3)
    low, high = (0, 255) if full else (16, 235)
    with read_mask(clip.path, probe(clip.path)) as masks, open_reader(clip.path) as reader:
        for frame, mask in zip(reader, masks, strict=False):
            assert np.abs(mask - (frame.planes[0] >= (low + high + 1) // 2).astype(int)).max() == 0


def test_the_mask_of_a_rotated_video_is_given_as_shown(tmp_path):
    quarter = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    shown = np.zeros((8, 6), np.uint8)
    shown[0, 0] = 255  # the top left corner as shown is the bottom left corner as stored
    write_picture(tmp_path / "mask.png", shown)
    mask = read_mask(tmp_path / "mask.png", info_of(matrix=quarter, rotation=90))
    assert np.argwhere(mask).tolist() == [[5, 0]]
    stored = np.zeros((6, 8), np.uint8)
    stored[0, 7] = 255
    write_picture(tmp_path / "stored.png", stored)
    mask = read_mask(tmp_path / "stored.png", info_of(matrix=quarter, rotation=90))
    assert np.argwhere(mask).tolist() == [[0, 7]]


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("rotation", [0, 90])
def test_the_mask_of_a_video_whose_pixels_are_not_square_is_given_as_stored_or_as_shown(tmp_path, width, rotation):
    matrix = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30) if rotation else None
    info = dataclasses.replace(info_of(matrix=matrix, rotation=rotation), sample_aspect=Fraction(2))
    expected = np.zeros((6, 8), bool)
    expected[2:4, 3:5] = True
    picture = 255 * expected.astype(np.uint8).repeat(width // 8, 1)
    write_picture(tmp_path / "mask.png", turn(picture, matrix) if rotation else picture)
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", info), expected)


def test_wrong_masks_are_errors(tmp_path):
    write_picture(tmp_path / "mask.png", np.zeros((6, 9), np.uint8))
    with pytest.raises(MaskError, match=r"mask\.png is 9x6, the video 8x6"):
        read_mask(tmp_path / "mask.png", info_of())
    with pytest.raises(MaskError, match="no such file"):
        read_mask(tmp_path / "none.png", info_of())
    (tmp_path / "broken.png").write_bytes(b"x")
    with pytest.raises(MaskError, match="damaged or not a picture"):
        read_mask(tmp_path / "broken.png", info_of())


@pytest.fixture
def numbered_masks(tmp_path):
    """Writes a mask video whose picture n is white in n columns, 100 ms each."""

    def write(count, rate=10):
        path = tmp_path / "mask.mkv"
        pixels = PixelFormat(kind="gray", full_range=True)
        info = VideoInfo(width=32, height=16, pixels=pixels, rate=Fraction(rate), time_base=1 / Fraction(rate))
        with open_writer(path, info, codec="ffv1") as writer:
            for n in range(count):
                picture = np.zeros((16, 32), np.uint8)
                picture[:, :n] = 255
                writer.write(Frame((picture,), n))
        return path

    return write


def columns_at(path, times, *, start=None, rate=25):
    """How many columns are white in the masks of frames at these times in milliseconds."""
    info = dataclasses.replace(info_of(32, 16), rate=Fraction(rate), time_base=Fraction(1, 1000))
    frames = [Frame((np.zeros((16, 32), np.uint8),), time) for time in times]
    with read_mask(path, info, start=start) as masks:
        return [int(mask[0].sum()) for _, mask in zip(masks.following(frames), masks)]


def test_a_mask_of_another_rate_is_matched_by_time(numbered_masks, caplog):
    path = numbered_masks(4)
    assert columns_at(path, range(0, 400, 40)) == [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    assert "mask.mkv has 10 frames per second, the video 25" in caplog.text
    assert columns_at(path, range(0, 400, 200), rate=5) == [0, 2]
    assert columns_at(path, [0, 99, 100, 333], rate=9) == [0, 1, 1, 3]  # a stamp may be rounded by a millisecond


def test_a_mask_of_another_rate_begins_with_what_is_shown_at_the_start(numbered_masks):
    assert columns_at(numbered_masks(8), range(0, 200, 40), start=0.24) == [2, 2, 3, 3, 4]


def test_a_mask_of_another_rate_that_ends_early_is_an_error(numbered_masks):
    with pytest.raises(MaskError, match="the video has more frames"):
        columns_at(numbered_masks(3), range(0, 400, 40))


def test_a_mask_with_pictures_left_out_is_matched_by_time(make_clip, caplog):
    """Both declare 10 pictures per second."""
    video = make_clip("video.mkv", rate=10, size=(32, 16), count=6)
    mask = make_clip("gaps.mkv", rate=10, size=(32, 16), pts=(0, 1, 4, 5)).path
    with open_reader(video.path) as reader, read_mask(mask, reader.info) as masks:
        assert sum(1 for _ in zip(masks.following(reader), masks)) == 6
    assert "matched by time" in caplog.text


@pytest.mark.parametrize(("pts", "expected"), [((0, 1, 4, 5), [0, 1, 1, 1, 4, 5]), ((3, 4, 5), [3, 3, 3, 3, 4, 5])])
@pytest.mark.parametrize("start", [None, 0.1, 0.3])
def test_a_mask_that_lacks_pictures_shows_the_latest_one_in_a_part_too(tmp_path, make_clip, pts, expected, start):
    """Both have 10 pictures a second; the mask's picture n is white in n + 1 columns. Its sound starts at 0."""
    video = make_clip("video.mkv", rate=10, size=(32, 16), count=6, codec="libx264", audio="aac").path
    pixels = PixelFormat(kind="gray", full_range=True)
    info = VideoInfo(width=32, height=16, pixels=pixels, rate=Fraction(10), time_base=Fraction(1, 10))
    with open_writer(tmp_path / "mask.mkv", info, codec="ffv1", copy_from=video) as writer:
        for n in pts:
            writer.write(Frame((np.pad(np.full((16, n + 1), 255, np.uint8), ((0, 0), (0, 31 - n))),), n))
    with (
        open_reader(video, start=start) as reader,
        read_mask(tmp_path / "mask.mkv", reader.info, start=start) as masks,
    ):
        shown = [int(mask[0].sum()) - 1 for _, mask in zip(masks.following(reader), masks)]
    assert shown == expected[round(10 * (start or 0)) :]
