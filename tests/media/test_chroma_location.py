"""Where the chroma samples of 4:2:0 lie: read, kept, or named in a warning."""

import av
import pytest

from vdiff_jax.media import open_reader, probe
from vdiff_jax.media.chroma_location import chroma_location


@pytest.mark.parametrize("location", ["left", "center", "topleft", "top"])
@pytest.mark.parametrize("name", ["in.mkv", "in.mp4"])
def test_the_location_is_read(make_clip, name, location):
    clip = make_clip(name, codec="libx264", options={"chroma_sample_location": location}, count=2)
    with av.open(str(clip.path)) as container:
        assert chroma_location(container.streams.video[0]) == location
    assert probe(clip.path).chroma_location == location


def test_422_has_no_location_to_keep(make_clip):
    assert probe(make_clip(fmt="yuv422p", codec="libx264", count=2).path).chroma_location == ""


@pytest.mark.parametrize("location", ["center", "topleft"])
@pytest.mark.parametrize(
    ("name", "codec"),
    [("o.mp4", None), ("o.mov", "libx265"), ("o.mkv", "libsvtav1"), ("o.mkv", "ffv1"), ("o.webm", None)],
)
def test_the_location_is_kept(make_clip, copy_through, tmp_path, caplog, name, codec, location):
    clip = make_clip(codec="libx264", size=(64, 64), options={"chroma_sample_location": location}, count=8)
    copy_through(clip.path, tmp_path / name, codec=codec)
    assert probe(tmp_path / name).chroma_location == location
    assert not caplog.records


@pytest.mark.parametrize(("name", "codec"), [("o.mp4", "mpeg4"), ("o.mp4", "libsvtav1")])
def test_a_lost_location_is_named(make_clip, copy_through, tmp_path, caplog, name, codec):
    clip = make_clip(codec="libx264", size=(64, 64), options={"chroma_sample_location": "center"}, count=2)
    copy_through(clip.path, tmp_path / name, codec=codec)
    assert probe(tmp_path / name).chroma_location != "center"
    [record] = caplog.records
    assert "the chroma location (center); .mkv and .mp4 with --codec libx264 keep it" in record.getMessage()


def test_the_usual_location_is_not_worth_a_warning(make_clip, copy_through, tmp_path, caplog):
    clip = make_clip(codec="libx264", options={"chroma_sample_location": "left"}, count=2)
    copy_through(clip.path, tmp_path / "o.mp4", codec="mpeg4")
    with open_reader(tmp_path / "o.mp4") as reader:
        assert len(list(reader)) == 2
    assert not caplog.records
