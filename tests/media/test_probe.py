"""The properties of a video."""

import os
from fractions import Fraction

import pytest

from vdiff_jax.errors import InputError
from vdiff_jax.media import declared_frames, open_reader, probe
from vdiff_jax.media.probe import open_container


def test_properties_are_those_of_the_file(make_clip):
    clip = make_clip(
        "clip.mp4", codec="libx264", rate=Fraction(30000, 1001), count=12, audio="aac", aspect=Fraction(4, 3)
    )
    info = probe(clip.path)
    assert (info.width, info.height, info.frames, info.codec, info.has_audio) == (64, 48, 12, "h264", True)
    assert info.rate == Fraction(30000, 1001)
    assert info.sample_aspect == Fraction(4, 3)
    assert info.duration == pytest.approx(12 * 1001 / 30000, abs=1e-4)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv"])
def test_the_declared_number_of_frames_is_that_of_the_header(make_clip, name):
    assert declared_frames(make_clip(name, codec="libx264", count=12).path) == 12
    with pytest.raises(InputError, match="no such file"):
        declared_frames("missing.mp4")


def test_an_unspecified_matrix_depends_on_the_height_and_its_tag_is_kept(make_clip):
    small, large = (
        probe(make_clip("a.mkv", size=(16, 718), count=1).path),
        probe(make_clip("b.mkv", size=(16, 720), count=1).path),
    )
    assert (small.pixels.matrix, large.pixels.matrix) == ("bt601", "bt709")
    assert (small.tags.matrix, small.tags.range) == (2, 0)


def test_full_range_is_read_from_the_tag_and_the_format(make_clip):
    assert not probe(make_clip("a.mkv").path).pixels.full_range
    assert probe(make_clip("b.mkv", tags={"color_range": 2}).path).pixels.full_range
    jpeg = probe(make_clip("c.mkv", fmt="yuvj420p", codec="mjpeg", smooth=True, count=2).path)
    assert jpeg.pixels.full_range
    assert jpeg.pixels.name == "yuv420p"


def test_the_duration_of_a_file_that_starts_late_is_counted_from_its_start(make_clip, caplog):
    clip = make_clip("late.mkv", pts=range(130, 138))
    assert probe(clip.path).frames == 8
    with open_reader(clip.path) as reader:
        assert len(list(reader)) == 8
    assert not caplog.records


def test_what_a_pipe_gives_is_read_without_seeking(make_clip, capfd):
    clip = make_clip("clip.mkv", codec="libx264", smooth=True).path
    reading, writing = os.pipe()
    os.write(writing, clip.read_bytes())
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe, open_container(pipe, "stdin") as container:
        assert len(list(container.decode(video=0))) == 8
    assert capfd.readouterr().err == ""  # PyAV prints a traceback where seeking fails


def test_a_named_pipe_is_refused_before_it_is_opened(tmp_path):
    """It can be read only once, and a second opening would wait for ever."""
    os.mkfifo(tmp_path / "pipe.mkv")
    with pytest.raises(InputError, match="is a named pipe"):
        probe(tmp_path / "pipe.mkv")
