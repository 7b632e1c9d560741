"""A written file keeps times, colour tags, aspect ratio and rotation."""

from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax.media import Frame, PixelFormat, VideoInfo, open_reader, probe, read_picture


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
def test_a_lossy_copy_keeps_format_size_and_times(make_clip, decode, copy_through, tmp_path, name, leftovers):
    clip = make_clip("clip.mp4", codec="libx264", count=30, rate=Fraction(30000, 1001), smooth=True, size=(128, 96))
    copy_through(clip.path, tmp_path / name)
    planes, times, first = decode(tmp_path / name)
    before, were, _ = decode(clip.path)
    assert first == ("yuv420p", 128, 96, 0)
    assert len(times) == 30
    assert max(abs(a - b) for a, b in zip(times, were, strict=True)) <= (Fraction(1, 2000) if "mkv" in name else 0)
    assert max(np.abs(a[0].astype(int) - b[0]).mean() for a, b in zip(planes, before, strict=True)) < 1.5
    assert probe(tmp_path / name).rate == Fraction(30000, 1001)
    assert leftovers(tmp_path) == sorted(["clip.mp4", name])


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.webm"])
def test_uneven_times_are_kept(make_clip, decode, copy_through, tmp_path, name):
    pts = [0, 40, 95, 97, 300, 1000, 1040]
    clip = make_clip(pts=pts, time_base=Fraction(1, 1000), smooth=True)
    copy_through(clip.path, tmp_path / name)
    assert [time * 1000 for time in decode(tmp_path / name)[1]] == pts


TAGS = {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16}


@pytest.mark.parametrize("tags", [{}, TAGS, {"color_range": 2, "colorspace": 6, "color_primaries": 1, "color_trc": 1}])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_colour_tags_are_kept(make_clip, copy_through, tmp_path, tags, name):
    clip = make_clip(tags=tags, smooth=True, count=2)
    before = copy_through(clip.path, tmp_path / name).tags
    assert (before.range, before.matrix) == (tags.get("color_range", 0), tags.get("colorspace", 2))
    assert probe(tmp_path / name).tags == before


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_the_sample_aspect_ratio_is_kept(make_clip, copy_through, tmp_path, name):
    clip = make_clip("clip.mp4", codec="libx264", smooth=True, count=2, aspect=Fraction(16, 15))
    copy_through(clip.path, tmp_path / name)
    assert probe(tmp_path / name).sample_aspect == Fraction(16, 15)


QUARTER = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
def test_rotation_is_kept(make_clip, copy_through, tmp_path, name):
    clip = make_clip("clip.mp4", codec="libx264", smooth=True, count=2, matrix=QUARTER)
    assert probe(clip.path).rotation == 90
    copy_through(clip.path, tmp_path / name)
    after = probe(tmp_path / name)
    assert (after.rotation, after.width, after.height) == (90, 64, 48)


def test_rotation_is_applied_where_it_can_t_be_kept(make_clip, copy_through, tmp_path):
    clip = make_clip("clip.mkv", count=2, matrix=QUARTER, fmt="yuv422p")
    copy_through(clip.path, f"{tmp_path}/frames/")
    copy_through(clip.path, tmp_path / "out.y4m")
    assert read_picture(tmp_path / "frames" / "frame_000001.png").shape == (64, 48, 3)
    with open_reader(tmp_path / "out.y4m") as reader:
        assert (reader.info.width, reader.info.height) == (48, 64)
        assert np.array_equal(next(iter(reader)).planes[0], np.rot90(clip.frames[0][0], -1))


@pytest.mark.parametrize(
    ("name", "codec", "keeps"),
    [
        ("out.mkv", "libx264", ""),
        ("out.webm", None, ".mp4"),
        ("out.mkv", "ffv1", ".mp4"),
        ("out.mkv", "prores", ".mov"),
    ],
)
def test_an_aspect_ratio_is_kept_or_named(make_clip, copy_through, tmp_path, caplog, name, codec, keeps):
    clip = make_clip("clip.mp4", codec="libx264", smooth=True, count=2, aspect=Fraction(4, 3))
    copy_through(clip.path, tmp_path / name, codec=codec)
    assert (probe(tmp_path / name).sample_aspect == Fraction(4, 3)) is not bool(keeps)
    assert ("the sample aspect ratio 4/3" in caplog.text) is bool(keeps)
    assert f"{keeps} keeps it" in caplog.text or not keeps


@pytest.mark.parametrize("fmt", ["yuv420p", "yuv444p10le", "gray", "yuv411p"])
def test_yuv4mpeg2_is_lossless(make_clip, copy_through, tmp_path, fmt):
    clip = make_clip(fmt=fmt, options={"slices": "1"}, rate=Fraction(24000, 1001), size=(53, 47))
    copy_through(clip.path, tmp_path / "out.y4m")
    with open_reader(tmp_path / "out.y4m") as reader:
        assert reader.info.rate == Fraction(24000, 1001)
        for frame, truth in zip(reader, clip.frames, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(frame.planes, truth, strict=True))


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_the_last_frame_keeps_its_duration(tmp_path, name, write_clip, noise_planes):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2))
    info = VideoInfo(width=64, height=48, pixels=pixels, time_base=Fraction(1, 1000))
    frames = [Frame(noise_planes(pixels, 64, 48), pts, lasts) for pts, lasts in ((0, 40), (40, 40), (80, 900))]
    write_clip(tmp_path / name, info, frames)
    assert probe(tmp_path / name).duration == pytest.approx(0.98, abs=0.001)
