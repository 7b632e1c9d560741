"""Deinterlacing makes one progressive picture of each frame, at the same time (`deinterlace`, `filters`)."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax.media import open_reader, probe
from vdiff_jax.media.deinterlace import shows_bottom_first


@pytest.fixture
def interlaced(tmp_path):
    """A bright edge that moves 4 pixels between the two fields of each frame: 10 frames of 64×48, top field first."""
    path = tmp_path / "interlaced.mkv"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"qp": "8", "x264-params": "tff=1:bframes=0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for n in range(10):
            luma = np.full((48, 64), 40, np.uint8)
            for field in range(2):
                luma[field::2, : 8 + 4 * (2 * n + field)] = 200
            frame = av.VideoFrame.from_ndarray(np.concatenate([luma, np.full((24, 64), 128, np.uint8)]), "yuv420p")
            frame.pts = n
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def combing(frames) -> float:
    """The mean difference between a line and the mean of its neighbours, which interlacing makes large."""
    luma = np.stack([frame.planes[0] for frame in frames]).astype(float)
    return float(np.abs(luma[:, 1:-1] - (luma[:, :-2] + luma[:, 2:]) / 2).mean())


def test_fields_become_progressive_pictures(interlaced):
    with open_reader(interlaced) as reader:
        assert reader.info.interlaced
        woven = list(reader)
    with open_reader(interlaced, deinterlace=True) as reader:
        whole = list(reader)
        assert not reader.info.interlaced
    assert [frame.pts for frame in whole] == [frame.pts for frame in woven]
    assert combing(whole) < 0.3 * combing(woven)


def test_fields_become_pictures_of_their_own_at_twice_the_rate(interlaced):
    """The edge moves 4 pixels from field to field."""
    with open_reader(interlaced, double_rate=True) as reader:
        pictures, info = list(reader), reader.info
    assert (info.rate, info.frames, len(pictures)) == (50, 20, 20)
    times = [float(picture.pts * info.time_base) for picture in pictures]
    np.testing.assert_allclose(times, np.arange(20) / 50, atol=1e-3)
    assert {float(picture.duration * info.time_base) for picture in pictures} == {0.02}
    edges = [int((picture.planes[0][24] > 120).sum()) for picture in pictures[:12]]
    np.testing.assert_allclose(np.diff(edges), 4)


def test_a_part_can_be_deinterlaced(interlaced):
    with open_reader(interlaced, start=0.2, stop=0.32, deinterlace=True) as reader:
        assert [frame.pts for frame in reader] == [0, 40, 80]


@pytest.mark.parametrize(("order", "bottom"), [("tt", False), ("bb", True)])
def test_the_first_field_is_that_of_the_frame(tmp_path, order, bottom):
    path = tmp_path / "tape.mpg"
    with av.open(str(path), "w") as output:
        options = {"field_order": order, "flags": "+ilme+ildct"}
        stream = output.add_stream("mpeg2video", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        graph = av.filter.Graph()
        buffer = graph.add_buffer(width=64, height=48, format="yuv420p", time_base=Fraction(1, 25))
        field = graph.add("setfield", "bff" if bottom else "tff")
        graph.link_nodes(buffer, field, graph.add("buffersink")).configure()
        for n in range(3):
            rows = np.arange(48, dtype=np.uint8)[:, None] * 4 + np.zeros((1, 64), np.uint8)
            frame = av.VideoFrame.from_ndarray(np.concatenate([rows, np.full((24, 64), 128, np.uint8)]), "yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            graph.vpush(frame)
            output.mux(stream.encode(graph.vpull()))
        output.mux(stream.encode(None))
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    assert shows_bottom_first(frames) == bottom


def test_a_progressive_or_flat_picture_shows_no_field_first():
    assert not shows_bottom_first([av.VideoFrame(64, 48, "yuv420p")])


def test_dv_shows_the_bottom_field_first_and_has_25_frames_a_second(make_clip, copy_through, tmp_path):
    clip = make_clip("tape.dv", codec="dvvideo", size=(720, 576), smooth=True, count=3)
    with open_reader(clip.path) as reader:
        assert (reader.info.interlaced, reader.info.field_order, reader.info.rate) == (True, 3, 25)
    copy_through(clip.path, tmp_path / "out.mkv", codec="libx264")
    assert probe(tmp_path / "out.mkv").field_order == 3
