"""Reading: planes as they are, times as they are, bad inputs by name."""

import logging
import math
import subprocess
import sys
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax.errors import InputError, OptionError
from vdiff_jax.media import list_videos, open_reader, probe, write_picture
from vdiff_jax.media.threads import Prefetch

NATIVE = "yuv420p yuv422p yuv444p yuv411p yuv440p yuv420p10le yuv422p12le yuv444p16le yuva420p gray gray10le gbrp10le"


@pytest.mark.parametrize("fmt", NATIVE.split())
def test_planes_are_the_file_s_own(make_clip, fmt):
    clip = make_clip(fmt=fmt, size=(53, 47), count=3, options={"slices": "1"})
    with open_reader(clip.path) as reader:
        assert reader.info.pixels.name == fmt
        for frame, truth in zip(reader, clip.frames, strict=True):
            if fmt.startswith("gbr"):
                truth = [truth[2], truth[0], truth[1]]
            assert all(np.array_equal(plane, known) for plane, known in zip(frame.planes, truth, strict=True))


def test_properties(make_clip):
    clip = make_clip(
        "clip.mp4", codec="libx264", rate=Fraction(30000, 1001), count=12, audio="aac", aspect=Fraction(4, 3)
    )
    info = probe(clip.path)
    assert (info.width, info.height, info.frames, info.codec, info.has_audio) == (64, 48, 12, "h264", True)
    assert info.rate == Fraction(30000, 1001)
    assert info.sample_aspect == Fraction(4, 3)
    assert info.duration == pytest.approx(12 * 1001 / 30000, abs=1e-4)


def test_an_unspecified_matrix_goes_by_the_lines_and_its_tag_stays(make_clip):
    small, large = (
        probe(make_clip("a.mkv", size=(16, 718), count=1).path),
        probe(make_clip("b.mkv", size=(16, 720), count=1).path),
    )
    assert (small.pixels.matrix, large.pixels.matrix) == ("bt601", "bt709")
    assert (small.tags.matrix, small.tags.range) == (2, 0)


def test_full_range_is_told_by_tag_and_by_format(make_clip):
    assert not probe(make_clip("a.mkv").path).pixels.full_range
    assert probe(make_clip("b.mkv", tags={"color_range": 2}).path).pixels.full_range
    jpeg = probe(make_clip("c.mkv", fmt="yuvj420p", codec="mjpeg", smooth=True, count=2).path)
    assert jpeg.pixels.full_range
    assert jpeg.pixels.name == "yuv420p"


def test_uneven_time_stamps_arrive(make_clip):
    pts = [0, 40, 95, 96, 300, 1000]
    clip = make_clip(pts=pts, time_base=Fraction(1, 1000))
    with open_reader(clip.path) as reader:
        assert [frame.pts * reader.info.time_base * 1000 for frame in reader] == pts


def test_a_cut_holds_exactly_its_frames_and_starts_at_zero(make_clip):
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
        with pytest.raises(InputError, match=r"no frame in the part asked for: it lasts 0\.32 s"):
            open_reader(clip.path, start=start, stop=stop)


def test_a_folder_of_pictures_goes_by_the_numbers_in_the_names(tmp_path):
    for number in (10, 9, 100, 1):
        write_picture(tmp_path / f"shot {number}.png", np.full((6, 5, 3), number, np.uint8))
    with open_reader(tmp_path) as reader:
        assert [int(frame.planes[0][0, 0]) for frame in reader] == [1, 9, 10, 100]
        assert (reader.info.frames, reader.info.pixels.name, reader.info.width) == (4, "gbrp", 5)
    with open_reader(str(tmp_path / "shot 1*.png"), picture_rate=Fraction(10)) as reader:
        assert [int(frame.planes[0][0, 0]) for frame in reader] == [1, 10, 100]
        assert reader.info.duration == pytest.approx(0.3)
    with open_reader(tmp_path / "shot 9.png") as reader:
        assert len(list(reader)) == 1


def test_deep_gray_and_transparent_pictures_keep_their_samples(tmp_path):
    noise = np.random.default_rng(0)
    for name, shape, dtype in (("a", (5, 7), np.uint8), ("b", (5, 7, 3), np.uint16), ("c", (5, 7, 4), np.uint8)):
        picture = noise.integers(0, np.iinfo(dtype).max, shape, dtype=dtype)
        write_picture(tmp_path / f"{name}.png", picture)
        with open_reader(tmp_path / f"{name}.png") as reader:
            planes = next(iter(reader)).planes
        assert np.array_equal(np.stack(planes, -1).squeeze(), picture)


def test_gray_pictures_among_coloured_ones(tmp_path):
    write_picture(tmp_path / "0.png", np.full((4, 4), 7, np.uint8))
    write_picture(tmp_path / "1.png", np.full((4, 4, 3), 9, np.uint8))
    with open_reader(tmp_path) as reader:
        assert [[int(p[0, 0]) for p in frame.planes] for frame in reader] == [[7] * 3, [9] * 3]


def test_gif(tmp_path, make_clip):
    clip = make_clip("clip.gif", codec="gif", fmt="rgb8", smooth=True, count=4, rate=10)
    with open_reader(clip.path) as reader:
        assert [float(frame.pts * reader.info.time_base) for frame in reader] == pytest.approx([0, 0.1, 0.2, 0.3])
        assert reader.info.pixels.kind == "rgb"


def test_stdin(make_clip):
    clip = make_clip("clip.y4m", codec="wrapped_avframe")
    code = (
        "from vdiff_jax.media import open_reader\n"
        "with open_reader('-') as r: print([int(f.planes[0].sum()) for f in r], r.info.rate)"
    )
    with clip.path.open("rb") as pipe:
        shown = subprocess.run([sys.executable, "-c", code], stdin=pipe, capture_output=True, check=True)
    assert shown.stdout.decode().strip() == f"{[int(planes[0].sum()) for planes in clip.frames]} 25"
    assert shown.stderr == b""


def _write(path, content=b""):
    path.write_bytes(content)
    return path


def _sound(tmp_path):
    with av.open(str(tmp_path / "sound.wav"), "w") as output:
        stream = output.add_stream("pcm_s16le", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), format="s16", layout="stereo")
        frame.sample_rate = 48000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return tmp_path / "sound.wav"


BAD = {
    "missing": (lambda d: d / "no.mp4", "no such file"),
    "empty": (lambda d: _write(d / "empty.mp4"), "is empty"),
    "noise": (lambda d: _write(d / "noise.mp4", np.random.default_rng(0).bytes(5000)), "no video"),
    "text": (lambda d: _write(d / "notes.txt", b"some words\n" * 50), "text file"),
    "sound": (_sound, "no video stream .it holds: audio"),
    "no match": (lambda d: d / "*.mp4", "nothing matches"),
    "empty folder": (lambda d: d, "holds no pictures"),
    "broken picture": (lambda d: _write(d / "broken.png", b"\x89PNG\r\n\x1a\nxxxxxxxx"), "damaged or no picture"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_in_one_line(tmp_path, capfd, case):
    make, message = BAD[case]
    with pytest.raises(InputError, match=message) as caught:
        open_reader(make(tmp_path))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_a_header_without_its_frames_is_named(make_clip, tmp_path):
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


def test_mixed_sizes_name_both_pictures(tmp_path):
    write_picture(tmp_path / "a.png", np.zeros((4, 6, 3), np.uint8))
    write_picture(tmp_path / "b.png", np.zeros((4, 8, 3), np.uint8))
    with pytest.raises(InputError, match=r"a\.png is 6x4, .*b\.png is 8x4"):
        open_reader(tmp_path)


def test_closing_early_stops_the_thread(make_clip):
    clip = make_clip(count=60)
    with open_reader(clip.path) as reader:
        next(iter(reader))
        assert any(thread.name == "decode" for thread in threading.enumerate())
    assert not any(thread.name == "decode" for thread in threading.enumerate())


def test_closing_doesn_t_read_on():
    made = []
    ahead = Prefetch((made.append(i) or i for i in range(1_000_000)), depth=2)
    assert next(iter(ahead)) == 0
    ahead.close()
    assert len(made) < 1000


def test_prefetch_stays_within_its_depth_and_hands_on_errors():
    made = []

    def items():
        for i in range(100):
            made.append(i)
            yield i
        raise InputError("broken at the end")

    ahead = Prefetch(items(), depth=3)
    stream = iter(ahead)
    assert next(stream) == 0
    time.sleep(0.2)
    assert len(made) <= 1 + 3 + 1 + 1
    seen = [next(stream) for _ in range(99)]
    assert seen == list(range(1, 100))
    with pytest.raises(InputError, match="broken at the end"):
        next(stream)
    ahead.close()


def test_batches(tmp_path, make_clip):
    clip = make_clip("b.mkv", count=1)
    make_clip("a.mkv", count=1)
    assert list_videos(clip.path) is None
    assert [path.name for path in list_videos(tmp_path)] == ["a.mkv", "b.mkv"]
    assert [path.name for path in list_videos(str(tmp_path / "b*"))] == ["b.mkv"]
    with pytest.raises(InputError, match="holds videos, not pictures"):
        open_reader(tmp_path)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    write_picture(pictures / "0.png", np.zeros((4, 4), np.uint8))
    assert list_videos(pictures) is None
    with pytest.raises(InputError, match="no such file or folder"):
        list_videos(tmp_path / "nothing")
