"""Decoding: planes and times are those of the file; parts and damaged files."""

import logging
import math
from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax.errors import InputError, OptionError
from vdiff_jax.media import open_reader

NATIVE = "yuv420p yuv422p yuv444p yuv411p yuv440p yuv420p10le yuv422p12le yuv444p16le yuva420p gray gray10le gbrp10le"


@pytest.mark.parametrize("fmt", NATIVE.split())
def test_planes_are_those_of_the_file(make_clip, fmt):
    clip = make_clip(fmt=fmt, size=(53, 47), count=3, options={"slices": "1"})
    with open_reader(clip.path) as reader:
        assert reader.info.pixels.name == fmt
        for frame, truth in zip(reader, clip.frames, strict=True):
            if fmt.startswith("gbr"):
                truth = [truth[2], truth[0], truth[1]]
            assert all(np.array_equal(plane, known) for plane, known in zip(frame.planes, truth, strict=True))


def test_uneven_time_stamps_are_read(make_clip):
    pts = [0, 40, 95, 96, 300, 1000]
    clip = make_clip(pts=pts, time_base=Fraction(1, 1000))
    with open_reader(clip.path) as reader:
        assert [frame.pts * reader.info.time_base * 1000 for frame in reader] == pts


def test_a_part_holds_exactly_its_frames_and_starts_at_zero(make_clip):
    clip = make_clip("clip.mp4", codec="libx264", count=100, smooth=True, options={"bf": "3", "g": "30"})
    with open_reader(clip.path) as reader:
        whole = [frame.planes[0] for frame in reader]
    for start, stop in ((0.4, 1.0), (0.5, 0.9), (2.0, 2.5), (3.2, None), (None, 0.2)):
        with open_reader(clip.path, start=start, stop=stop) as reader:
            cut = list(reader)
            first, last = math.ceil((start or 0) * 25), 100 if stop is None else math.ceil(stop * 25)
            assert len(cut) == last - first == reader.info.frames
            assert cut[0].pts == 0
            assert all(np.array_equal(a.planes[0], b) for a, b in zip(cut, whole[first:last], strict=True))


def test_an_empty_part_is_an_error(make_clip):
    clip = make_clip()
    with pytest.raises(OptionError, match="pass 0 <= from < to"):
        open_reader(clip.path, start=2, stop=1)
    for start, stop in ((50, None), (0.01, 0.03)):
        with pytest.raises(InputError, match=r"no frame in this part: the video lasts 0\.32 s"):
            open_reader(clip.path, start=start, stop=stop)


def test_a_gif_keeps_its_times(tmp_path, make_clip):
    clip = make_clip("clip.gif", codec="gif", fmt="rgb8", smooth=True, count=4, rate=10)
    with open_reader(clip.path) as reader:
        assert [float(frame.pts * reader.info.time_base) for frame in reader] == pytest.approx([0, 0.1, 0.2, 0.3])
        assert reader.info.pixels.kind == "rgb"


def test_a_file_without_frames_is_an_error(make_clip, tmp_path):
    clip = make_clip("clip.mp4", codec="libx264", count=1, options={"movflags": "faststart"}, smooth=True)
    content = clip.path.read_bytes()
    if content.find(b"mdat") < content.find(b"moov"):
        remux(clip.path, tmp_path / "fast.mp4")
        content = (tmp_path / "fast.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: content.find(b"mdat") + 4])
    with pytest.raises(InputError, match="no frame that can be decoded"):
        open_reader(tmp_path / "cut.mp4")


def remux(source, target):
    with av.open(str(source)) as inside, av.open(str(target), "w", options={"movflags": "faststart"}) as outside:
        stream = outside.add_stream_from_template(inside.streams.video[0])
        for packet in inside.demux(inside.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                outside.mux(packet)


@pytest.mark.parametrize("name", ["clip.mkv", "clip.mp4"])
def test_a_truncated_video_gives_its_frames_and_a_warning(make_clip, tmp_path, caplog, capfd, name):
    clip = make_clip(name, codec="libx264", count=100, smooth=True, size=(128, 96), options={"bf": "2"}, audio="aac")
    if name.endswith("mp4"):
        remux(clip.path, tmp_path / "fast.mp4")
        clip.path = tmp_path / "fast.mp4"
    content = clip.path.read_bytes()
    cut = tmp_path / f"cut{clip.path.suffix}"
    cut.write_bytes(content[: len(content) * 6 // 10])
    with caplog.at_level(logging.WARNING), open_reader(cut) as reader:
        count = len(list(reader))
    assert 20 < count < 90
    assert f"{count} of about 100 frames were read" in caplog.text
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("audio", [None, "aac"])
def test_a_whole_video_gives_no_warning(make_clip, caplog, audio):
    for name in ("clip.mkv", "clip.mp4"):
        with open_reader(make_clip(name, codec="libx264", count=30, smooth=True, audio=audio).path) as reader:
            assert len(list(reader)) == 30
    assert caplog.text == ""
