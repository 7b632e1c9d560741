"""Videos are compared as they are shown: turned upright, with square pixels, matched by time where rates differ."""

import contextlib
import dataclasses
import logging
from fractions import Fraction

import numpy as np
import pytest

import vdiff_jax
from vdiff_jax import media
from vdiff_jax.comparison.sides import match_sizes, open_side, pairs
from vdiff_jax.errors import FormatError
from vdiff_jax.media.video import rotation_of, turn

HALF_TURN = (-65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30)
QUARTER_TURN = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
RGB = media.PixelFormat(kind="rgb", full_range=True)


@pytest.fixture
def write(tmp_path):
    def run(name, clip, pixels=RGB, **properties):
        info = media.VideoInfo(width=clip.shape[2], height=clip.shape[1], pixels=pixels, **properties)
        path = tmp_path / name
        with media.open_writer(path, info, codec="ffv1" if path.suffix == ".mkv" else "libx264rgb") as writer:
            for n, frame in enumerate(clip):
                writer.write(media.Frame(tuple(np.moveaxis(frame, -1, 0)), n))
        return path

    return run


@pytest.fixture
def clip():
    coarse = np.random.default_rng(0).integers(0, 256, (6, 6, 8, 3), np.uint8)
    return coarse.repeat(8, 1).repeat(8, 2)


@pytest.mark.parametrize("matrix", [HALF_TURN, QUARTER_TURN])
def test_a_rotation_tag_equals_a_rotated_picture(write, clip, matrix):
    tagged = write("tagged.mkv", clip, display_matrix=matrix, rotation=rotation_of(matrix))
    baked = write("baked.mkv", np.stack([turn(frame, matrix) for frame in clip]))
    report = vdiff_jax.compare(tagged, baked)
    assert (report["psnr"], report["frames"]) == (100, 6)
    assert (report["width"], report["height"]) == ((48, 64) if matrix is QUARTER_TURN else (64, 48))


def test_anamorphic_pixels_are_scaled_to_the_shown_size(write, clip, caplog):
    stored = write("stored.mp4", clip[:, :, ::2].copy(), sample_aspect=Fraction(2))
    report = vdiff_jax.compare(clip, stored)
    assert (report["width"], report["height"]) == (64, 48)
    assert report["psnr"] > 20
    assert "pixels are not square: pictures are compared in 64x48" in caplog.text


def test_transparency_that_is_not_compared_is_named(write, clip, caplog):
    glass = np.concatenate([clip, np.full_like(clip[..., :1], 128)], -1)
    report = vdiff_jax.compare(clip, write("glass.mkv", glass, dataclasses.replace(RGB, alpha=True)))
    assert report["psnr"] == 100
    assert "glass.mkv is transparent in places: only colours are compared" in caplog.text


def test_other_shown_sizes_are_refused(write, clip):
    wide = write("wide.mp4", clip, sample_aspect=Fraction(3, 2))
    with pytest.raises(FormatError, match=r"96x48 as shown \(stored as 64x48, sample aspect ratio 3/2\)"):
        vdiff_jax.compare(write("square.mp4", clip, sample_aspect=Fraction(1)), wide)


def test_a_missing_aspect_is_said(write, clip, caplog):
    wide = write("wide.mp4", clip, sample_aspect=Fraction(3, 2))
    assert vdiff_jax.compare(clip, wide)["psnr"] > 40
    assert "different sample aspect ratios (unspecified and 3/2)" in caplog.text


def numbers_of(first, second):
    """The values of the paired frames of two videos."""
    with contextlib.ExitStack() as stack:
        sides = match_sizes(*(open_side(video, str(video), stack) for video in (first, second)))
        return [tuple(int(frame.planes[0][0, 0]) for frame in pair) for pair in pairs(*sides)]


def counted(count):
    return np.broadcast_to(np.arange(count, dtype=np.uint8)[:, None, None, None], (count, 16, 16, 3)).copy()


def test_other_rates_are_matched_by_time(write, caplog):
    slow = write("slow.mkv", counted(6), rate=Fraction(25), time_base=Fraction(1, 25))
    fast = write("fast.mkv", counted(12), rate=Fraction(50), time_base=Fraction(1, 50))
    with caplog.at_level(logging.WARNING):
        assert numbers_of(slow, fast) == [(n, 2 * n) for n in range(6)]
        assert numbers_of(fast, slow) == [(2 * n, n) for n in range(6)]
    assert "has 25 frames per second" in caplog.text
    assert "lasts longer" not in caplog.text
    longer = write("longer.mkv", counted(9), rate=Fraction(25), time_base=Fraction(1, 25))
    assert numbers_of(longer, fast) == [(n, 2 * n) for n in range(6)]
    assert "longer.mkv lasts longer" in caplog.text
    assert numbers_of(write("short.mkv", counted(4), rate=Fraction(25), time_base=Fraction(1, 25)), fast)[-1] == (3, 6)
    assert "fast.mkv lasts longer" in caplog.text


def test_nearly_equal_rates_are_matched_by_number(write):
    one = write("one.mkv", counted(5), rate=Fraction(30), time_base=Fraction(1, 30))
    other = write("other.mkv", counted(5), rate=Fraction(30000, 1001), time_base=Fraction(1001, 30000))
    assert numbers_of(one, other) == [(n, n) for n in range(5)]


def test_a_video_that_is_a_frame_late_is_reported(clip, caplog):
    report = vdiff_jax.compare(clip[1:], clip[:-1])
    assert report["shift"] == 1
    assert "test is one frame late" in caplog.text
    assert vdiff_jax.compare(clip, clip)["shift"] == 0


def test_a_video_with_frames_left_out_is_matched_by_time(tmp_path, caplog):
    """Both declare 25 frames per second."""
    paths = tmp_path / "whole.mkv", tmp_path / "gaps.mkv"
    pixels = media.PixelFormat(kind="gray", full_range=True)
    info = media.VideoInfo(width=16, height=16, pixels=pixels)
    for path, numbers in zip(paths, (range(8), (0, 1, 2, 4, 5, 7))):
        with media.open_writer(path, info, codec="ffv1") as writer:
            for number in numbers:
                writer.write(media.Frame((np.full((16, 16), 30 * number, np.uint8),), number, 1))
    for order in (paths, paths[::-1]):
        with contextlib.ExitStack() as stack:
            sides = [open_side(path, "", stack) for path in order]
            assert [a.planes[0][0, 0] for a, b in pairs(*sides) if a.planes[0][0, 0] == b.planes[0][0, 0]] == [
                0,
                30,
                60,
                120,
                150,
                210,
            ]
    assert caplog.text.count("matched by time") == 2
