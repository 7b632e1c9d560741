"""Still pictures keep their samples."""

import os

import numpy as np
import pytest

from vdiff_jax.errors import InputError, OutputError
from vdiff_jax.media import open_reader, read_picture, write_picture


def test_16_bit_gray_and_transparent_pictures_keep_their_samples(tmp_path):
    noise = np.random.default_rng(0)
    for name, shape, dtype in (("a", (5, 7), np.uint8), ("b", (5, 7, 3), np.uint16), ("c", (5, 7, 4), np.uint8)):
        picture = noise.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
        write_picture(tmp_path / f"{name}.png", picture)
        with open_reader(tmp_path / f"{name}.png") as reader:
            planes = next(iter(reader)).planes
        assert np.array_equal(np.stack(planes, -1).squeeze(), picture)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_full_disk_is_named(tmp_path):
    (tmp_path / "a.png").symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"a\.png can't be written: No space left on device$"):
        write_picture(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(OutputError, match=r"a\.none can't be written"):
        write_picture(tmp_path / "a.none", np.zeros((4, 4, 3), np.uint8))


def test_a_gray_picture_among_coloured_ones_becomes_rgb(tmp_path):
    write_picture(tmp_path / "0.png", np.full((4, 4), 7, np.uint8))
    write_picture(tmp_path / "1.png", np.full((4, 4, 3), 9, np.uint8))
    with open_reader(tmp_path) as reader:
        assert [[int(p[0, 0]) for p in frame.planes] for frame in reader] == [[7] * 3, [9] * 3]


def test_an_error_names_pictures_of_different_sizes(tmp_path):
    write_picture(tmp_path / "a.png", np.zeros((4, 6, 3), np.uint8))
    write_picture(tmp_path / "b.png", np.zeros((4, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"a\.png is 6x4, .*b\.png is 8x4"):
        open_reader(tmp_path)


def independent_rgb(y, cb, cr, bits, kr, kb, peak):
    """BT.601/709/2020, limited range, 4:4:4, in float64, written out anew."""
    s = 2 ** (bits - 8)
    y, cb, cr = (y / s - 16) / 219, (cb / s - 128) / 224, (cr / s - 128) / 224
    r, b = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    g = y - 2 * kr * (1 - kr) / (1 - kr - kb) * cr - 2 * kb * (1 - kb) / (1 - kr - kb) * cb
    return np.clip(np.stack([r, g, b], -1) * peak, 0, peak)


@pytest.mark.parametrize(
    ("fmt", "tag", "kr", "kb"), [("yuv444p", 1, 0.2126, 0.0722), ("yuv444p10le", 9, 0.2627, 0.0593)]
)
def test_pngs_are_exact_to_rounding(make_clip, copy_through, tmp_path, fmt, tag, kr, kb, leftovers):
    clip = make_clip(fmt=fmt, count=2, tags={"colorspace": tag, "color_range": 1}, size=(53, 47))
    copy_through(clip.path, f"{tmp_path}/frames/")
    assert leftovers(tmp_path / "frames") == ["frame_000000.png", "frame_000001.png"]
    bits, dtype = (10, np.uint16) if "10" in fmt else (8, np.uint8)
    for number, planes in enumerate(clip.frames):
        picture = read_picture(tmp_path / "frames" / f"frame_{number:06d}.png")
        assert picture.dtype == dtype
        peak = np.iinfo(dtype).max
        truth = independent_rgb(*(p.astype(np.float64) for p in planes), bits, kr, kb, peak)
        assert np.abs(picture - truth).max() <= 0.5 + peak * 2e-6


def test_pictures_pass_through_pngs_unchanged(make_clip, copy_through, tmp_path):
    clip = make_clip(fmt="gbrp10le", count=1)
    copy_through(clip.path, tmp_path / "one.png")
    copy_through(tmp_path / "one.png", tmp_path / "two.png")
    assert np.array_equal(read_picture(tmp_path / "one.png"), read_picture(tmp_path / "two.png"))
    red = clip.frames[0][2]
    assert np.array_equal(read_picture(tmp_path / "one.png")[..., 0], np.rint(red * (65535 / 1023)))


@pytest.mark.parametrize(("numbers", "missing"), [((1, 2, 4, 5), True), ((10, 20, 30), False), ((1, 2, 3), False)])
def test_missing_pictures_of_a_sequence_are_named(tmp_path, caplog, numbers, missing):
    for number in numbers:
        write_picture(tmp_path / f"shot{number:03d}.png", np.zeros((16, 16, 3), np.uint8))
    with open_reader(tmp_path) as reader:
        assert len(list(reader)) == len(numbers)
    assert ("lacks pictures: shot004.png follows shot002.png" in caplog.text) == missing
    assert len(caplog.records) == missing
