"""Decoding: planes and times are those of the file; parts and damaged files."""

import logging
import math
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
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
    with pytest.raises(OptionError, match="the part from 2 s to 1 s is empty: pass a start before its end"):
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


@pytest.mark.parametrize("lost", [1, 2])
def test_the_last_frames_are_missed_and_counted_within_a_part(make_clip, tmp_path, caplog, lost):
    clip = make_clip("clip.mkv", codec="mpeg4", count=20, smooth=True, size=(64, 48))
    with av.open(clip.path) as container:
        places = [packet.pos for packet in container.demux(video=0) if packet.size]
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(clip.path.read_bytes()[: places[-lost] + 8])
    for start, frames in ((None, 20), (0.2, 15)):
        caplog.clear()
        with open_reader(cut, start=start) as reader:
            assert len(list(reader)) == frames - lost
        assert f"{frames - lost} of about {frames} frames were read" in caplog.text


def test_a_video_trimmed_within_a_frame_gives_no_warning(make_clip, tmp_path, caplog):
    clip = make_clip("clip.mp4", codec="libx264", count=30, smooth=True, size=(64, 48))
    trimmed = tmp_path / "trimmed.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-ss", "0.283", "-i", clip.path, "-c", "copy", trimmed]
    subprocess.run(command, check=True)
    with open_reader(trimmed) as reader:
        assert len(list(reader)) == 22
    assert not caplog.records


CAPTIONS = bytes([0, 0, 1, 6, 4, 14, 0xB5, 0, 0x31, *b"GA94", 3, 0x41, 0xFF, 0xFC, 0x94, 0x2C, 0xFF, 0x80])
"""A message of H.264 with one pair of caption bytes (ATSC A/53)."""


@pytest.fixture
def h264(tmp_path):
    """Writes a raw H.264 stream of 20 frames, each kept in order; `before` gives bytes to put before a frame."""

    def write(name, *, before=lambda number: b"", interlaced_from=20):
        data = b""
        for frames, options in ((range(interlaced_from), ""), (range(interlaced_from, 20), "tff=1")):
            encoder = av.CodecContext.create("libx264", "w")
            encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = 64, 64, "yuv420p", 25
            encoder.time_base = Fraction(1, 25)
            encoder.options = {"bf": "0", "x264-params": options} if options else {"bf": "0"}
            packets = []
            for number in frames:
                picture = av.VideoFrame(64, 64, "yuv420p")
                picture.pts, picture.time_base = number, Fraction(1, 25)
                packets += encoder.encode(picture)
            packets += encoder.encode(None) if frames else []
            data += b"".join(before(n) + bytes(packet) for n, packet in zip(frames, packets, strict=True))
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return write


def test_captions_that_begin_after_the_first_frame_are_found(h264, caplog):
    path = h264("soon.h264", before=lambda number: CAPTIONS if number >= 3 else b"")
    with open_reader(path) as reader:
        assert reader.info.unsupported_side_data == ("A53_CC",)
        assert len(list(reader)) == 20
    assert not caplog.records


def test_captions_that_begin_later_are_named_once_as_they_pass(h264, caplog):
    path = h264("late.h264", before=lambda number: CAPTIONS if number >= 15 else b"")
    with open_reader(path) as reader:  # without an output, nothing is lost
        assert len(list(reader)) == 20
    assert not caplog.records
    with open_reader(path, written=True) as reader:
        assert reader.info.unsupported_side_data == ()
        assert len(list(reader)) == 20
    [record] = caplog.records
    assert f"from 0.6 s on, {path} has the closed captions; no output keeps them" in record.getMessage()


def test_interlacing_that_begins_after_the_first_frame_is_found(h264, caplog):
    with open_reader(h264("soon.h264", interlaced_from=3)) as reader:
        assert reader.info.interlaced
        assert len(list(reader)) == 20
    assert not caplog.records


def test_interlacing_that_begins_later_is_named_as_it_passes(h264, caplog):
    with open_reader(h264("late.h264", interlaced_from=15), written=True) as reader:
        assert not reader.info.interlaced
        assert len(list(reader)) == 20
    [record] = caplog.records
    assert "from 0.6 s on" in record.getMessage()
    assert "is interlaced, but is treated as progressive" in record.getMessage()
