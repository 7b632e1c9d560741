"""Writing: nothing shifts, nothing is left half-written, refusals have names."""

import os
import subprocess
import sys
import threading
from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax.errors import FormatError, OptionError, OutputError
from vdiff_jax.media import Frame, PixelFormat, VideoInfo, open_reader, open_writer, probe, read_picture
from vdiff_jax.media.threads import WriteQueue

FORMATS = (
    "yuv420p yuv422p yuv444p yuv411p yuv440p yuv410p yuv420p9le yuv420p10le yuv422p12le yuv444p14le yuv420p16le "
    "yuva420p yuva444p10le gray gray10le gray16le gbrp gbrp10le gbrp16le gbrap gbrap12le"
)


def noise_planes(pixels, width, height, seed=0):
    noise = np.random.default_rng(seed)
    return tuple(noise.integers(0, pixels.peak + 1, s).astype(pixels.dtype) for s in pixels.plane_shapes(width, height))


def write_clip(target, info, frames, **options):
    with open_writer(target, info, **options) as writer:
        for frame in frames:
            writer.write(frame)


def leftovers(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", FORMATS.split())
@pytest.mark.parametrize("size", [(53, 47), (64, 48)])
def test_ffv1_is_exact(tmp_path, name, size):
    from vdiff_jax.media.planes import pixel_format

    pixels = pixel_format(av.VideoFormat(name), height=size[1])
    assert pixels.name == name
    info = VideoInfo(width=size[0], height=size[1], pixels=pixels)
    frames = [Frame(noise_planes(pixels, *size, seed), seed) for seed in range(3)]
    write_clip(tmp_path / "out.mkv", info, frames, codec="ffv1")
    with open_reader(tmp_path / "out.mkv") as reader:
        assert reader.info.pixels.name == name
        for frame, truth in zip(reader, frames, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(frame.planes, truth.planes, strict=True))


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov"])
def test_a_lossy_copy_keeps_everything_else(make_clip, decode, copy_through, tmp_path, name):
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


@pytest.mark.parametrize("size", [(53, 47), (53, 48), (54, 47)])
def test_odd_sizes_stay(make_clip, decode, copy_through, tmp_path, size):
    clip = make_clip(size=size, smooth=True, count=3)
    copy_through(clip.path, tmp_path / "out.mp4")
    _, _, (fmt, width, height, _) = decode(tmp_path / "out.mp4")
    assert (width, height) == size
    assert fmt == ("yuv422p" if size == (54, 47) else "yuv444p")


def test_ten_bits_stay_ten_bits(make_clip, copy_through, tmp_path):
    clip = make_clip(fmt="yuv420p10le", smooth=True, count=3, size=(128, 96))
    for name in ("out.mp4", "out.webm"):
        copy_through(clip.path, tmp_path / name)
        assert probe(tmp_path / name).pixels.name == "yuv420p10le"


TAGS = {"color_range": 1, "colorspace": 9, "color_primaries": 9, "color_trc": 16}


@pytest.mark.parametrize("tags", [{}, TAGS, {"color_range": 2, "colorspace": 6, "color_primaries": 1, "color_trc": 1}])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_tags_are_written_as_they_were(make_clip, copy_through, tmp_path, tags, name):
    clip = make_clip(tags=tags, smooth=True, count=2)
    before = copy_through(clip.path, tmp_path / name).tags
    assert (before.range, before.matrix) == (tags.get("color_range", 0), tags.get("colorspace", 2))
    assert probe(tmp_path / name).tags == before


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_the_shape_of_pixels_stays(make_clip, copy_through, tmp_path, name):
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


def streams(path):
    with av.open(str(path)) as container:
        return {s.type: s.codec_context.codec.canonical_name for s in container.streams}


def sound(path):
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        return float(frames[0].pts * frames[0].time_base), np.concatenate([f.to_ndarray() for f in frames], -1)


def sound_packets(path):
    """The content of each sound packet and its time in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return {bytes(p): p.pts * stream.time_base for p in container.demux(stream) if p.size}


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize(("start", "stop"), [(None, None), (1, 3)])
def test_sound_is_copied_and_stays_with_the_picture(make_clip, copy_through, tmp_path, name, start, stop):
    clip = make_clip("clip.mp4", codec="libx264", smooth=True, count=100, audio="aac")
    copy_through(clip.path, tmp_path / name, start=start, stop=stop)
    assert streams(tmp_path / name) == {"video": "h264", "audio": "aac"}
    before, after = sound_packets(clip.path), sound_packets(tmp_path / name)
    tolerance = Fraction(1, 1900) if name == "out.mkv" else 0
    assert all(abs(before[content] - (start or 0) - time) <= tolerance for content, time in after.items())
    kept = [time for time in before.values() if time >= (start or 0) and (stop is None or time < stop)]
    assert len(kept) <= len(after) <= len(kept) + 1
    assert probe(tmp_path / name).frames == (50 if start else 100)


@pytest.mark.parametrize(("name", "codec"), [("out.mp4", "aac"), ("out.webm", "opus"), ("out.mkv", "pcm_s16le")])
def test_sound_that_a_container_can_t_hold_is_encoded_anew(make_clip, copy_through, tmp_path, name, codec):
    clip = make_clip("clip.mkv", smooth=True, count=50, audio="pcm_s16le")
    copy_through(clip.path, tmp_path / name)
    assert streams(tmp_path / name)["audio"] == codec
    begin, samples = sound(tmp_path / name)
    assert begin == pytest.approx(0, abs=0.03)
    tone = samples.reshape(-1) if codec == "pcm_s16le" else samples[0]
    tone = (tone[::2] if codec == "pcm_s16le" else tone)[4800:52800].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(tone))
    assert abs(spectrum.argmax() - 440) <= 1


def test_metadata_and_chapters(make_clip, copy_through, tmp_path):
    base = Fraction(1, 1000)
    chapters = [
        {"id": 1, "start": 0, "end": 1000, "time_base": base, "metadata": {"title": "one"}},
        {"id": 2, "start": 1000, "end": 4000, "time_base": base, "metadata": {"title": "two"}},
    ]
    clip = make_clip(count=100, smooth=True, metadata={"title": "A walk", "artist": "N. N."}, chapters=chapters)
    for name in ("out.mp4", "out.mkv"):
        copy_through(clip.path, tmp_path / name)
        copy_through(clip.path, tmp_path / f"cut_{name}", start=0.6, stop=2)
        with av.open(str(tmp_path / name)) as whole, av.open(str(tmp_path / f"cut_{name}")) as cut:
            tags = {key.lower(): value for key, value in whole.metadata.items()}
            assert (tags["title"], tags["artist"]) == ("A walk", "N. N.")
            assert chapter_times(whole) == [("one", 0, 1), ("two", 1, 4)]
            assert chapter_times(cut) == [("one", 0, 0.4), ("two", 0.4, 1.4)]


def chapter_times(container):
    return [
        (c["metadata"]["title"], float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]))
        for c in container.chapters()
    ]


def test_a_track_keeps_its_language_and_name(make_clip, copy_through, tmp_path):
    clip = make_clip("clip.mkv", smooth=True, count=3)
    with av.open(str(clip.path)) as inside, av.open(str(tmp_path / "named.mkv"), "w") as outside:
        stream = outside.add_stream_from_template(inside.streams.video[0])
        stream.metadata.update(language="fra", title="Main camera")
        for packet in inside.demux(video=0):
            if packet.size:
                packet.stream = stream
                outside.mux(packet)
    copy_through(tmp_path / "named.mkv", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        stream = container.streams.video[0]
        assert (stream.language, stream.metadata["title"]) == ("fra", "Main camera")


def test_fonts_are_kept(make_clip, copy_through, tmp_path):
    clip = make_clip("clip.mkv", smooth=True, count=3)
    with av.open(str(clip.path)) as inside, av.open(str(tmp_path / "font.mkv"), "w") as outside:
        stream = outside.add_stream_from_template(inside.streams.video[0])
        outside.add_attachment("letters.ttf", "font/ttf", b"some letters")
        for packet in inside.demux(video=0):
            if packet.size:
                packet.stream = stream
                outside.mux(packet)
    copy_through(tmp_path / "font.mkv", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        attached = container.streams.attachments[0]
        assert (attached.name, attached.data) == ("letters.ttf", b"some letters")


def test_a_shape_that_can_t_be_told_is_warned_of(make_clip, copy_through, tmp_path, caplog):
    clip = make_clip("clip.mp4", codec="libx264", smooth=True, count=2, aspect=Fraction(4, 3))
    copy_through(clip.path, tmp_path / "out.webm")
    assert "players may show pixels square, not 4/3" in caplog.text


def add_subtitles(source, target, texts):
    """A copy of a video with SubRip subtitles, one a second."""
    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        video = outside.add_stream_from_template(inside.streams.video[0])
        words = outside.add_mux_stream("subrip")
        words.time_base = Fraction(1, 1000)
        words.metadata["language"] = "deu"
        for second, text in enumerate(texts):
            packet = av.Packet(text.encode())
            packet.pts = packet.dts = second * 1000
            packet.duration, packet.time_base, packet.stream = 800, Fraction(1, 1000), words
            outside.mux(packet)
        for packet in inside.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                outside.mux(packet)


@pytest.mark.parametrize(("name", "codec"), [("out.mkv", "subrip"), ("out.mp4", "mov_text"), ("out.webm", "webvtt")])
def test_subtitles(make_clip, copy_through, tmp_path, name, codec):
    clip = make_clip("clip.mkv", smooth=True, count=75)
    add_subtitles(clip.path, tmp_path / "words.mkv", ["first", "second", "third"])
    copy_through(tmp_path / "words.mkv", tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.subtitles[0]
        assert stream.codec_context.codec.canonical_name == codec
        assert stream.language == "deu"
        shown = {}
        for packet in container.demux(stream):
            for line in packet.decode() if packet.size else ():
                shown[float(packet.pts * packet.time_base)] = line.dialogue.decode()
    assert {time: text for time, text in shown.items() if text} == {0.0: "first", 1.0: "second", 2.0: "third"}


@pytest.mark.parametrize("fmt", ["yuv420p", "yuv444p10le", "gray", "yuv411p"])
def test_y4m_is_exact(make_clip, copy_through, tmp_path, fmt):
    clip = make_clip(fmt=fmt, options={"slices": "1"}, rate=Fraction(24000, 1001), size=(53, 47))
    copy_through(clip.path, tmp_path / "out.y4m")
    with open_reader(tmp_path / "out.y4m") as reader:
        assert reader.info.rate == Fraction(24000, 1001)
        for frame, truth in zip(reader, clip.frames, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(frame.planes, truth, strict=True))


def test_stdout(make_clip, tmp_path):
    clip = make_clip()
    code = (
        "import sys\nfrom vdiff_jax.media import open_reader, open_writer\n"
        "with open_reader(sys.argv[1]) as r, open_writer('-', r.info) as w:\n    for f in r: w.write(f)"
    )
    piped = subprocess.run([sys.executable, "-c", code, str(clip.path)], capture_output=True, check=True)
    assert piped.stdout.startswith(b"YUV4MPEG2 W64 H48 F25:1 ")
    assert piped.stderr == b""
    (tmp_path / "piped.y4m").write_bytes(piped.stdout)
    with open_reader(tmp_path / "piped.y4m") as reader:
        for frame, truth in zip(reader, clip.frames, strict=True):
            assert np.array_equal(frame.planes[0], truth[0])


def test_a_closed_pipe_is_named(make_clip):
    clip = make_clip(size=(512, 512), count=12)
    code = (
        "import sys\nfrom vdiff_jax.errors import OutputError\nfrom vdiff_jax.media import open_reader, open_writer\n"
        "try:\n    with open_reader(sys.argv[1]) as r, open_writer('-', r.info) as w:\n        for f in r: w.write(f)\n"
        "except OutputError as error: print(error, file=sys.stderr)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(clip.path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as writer:
        writer.stdout.read(1000)
        writer.stdout.close()
        assert writer.stderr.read().decode().splitlines()[:1] == ["stdout can't be written: Broken pipe"]


def test_gif_keeps_times_and_nearly_the_colours(make_clip, copy_through, tmp_path):
    clip = make_clip(smooth=True, rate=10, count=5, fmt="yuv444p")
    copy_through(clip.path, tmp_path / "out.gif")
    with av.open(str(tmp_path / "out.gif")) as container:
        frames = list(container.decode(video=0))
    assert [float(frame.pts * frame.time_base) for frame in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    copy_through(clip.path, f"{tmp_path}/png/")
    shown = frames[3].to_ndarray(format="rgb24").astype(int)
    truth = read_picture(tmp_path / "png" / "frame_000003.png")
    assert np.abs(shown - truth).mean() < 8
    assert abs((shown - truth).mean()) < 1.5


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
def test_pngs_are_exact_to_rounding(make_clip, copy_through, tmp_path, fmt, tag, kr, kb):
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


def test_rgb_becomes_video_that_players_show(tmp_path):
    """Pictures become tagged 4:2:0 whose colours come back."""
    colours = np.array([[200, 30, 60], [10, 220, 90], [20, 60, 240], [128, 128, 128]], np.uint8)
    picture = colours.repeat(16, 0).reshape(1, 64, 3).repeat(48, 0)
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="rgb", full_range=True, matrix="bt601"))
    write_clip(tmp_path / "out.mp4", info, [Frame(tuple(np.moveaxis(picture, -1, 0).copy()), i) for i in range(3)])
    after = probe(tmp_path / "out.mp4")
    assert (after.pixels.name, after.tags.matrix, after.tags.range) == ("yuv420p", 6, 1)
    with av.open(str(tmp_path / "out.mp4")) as container:
        shown = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(shown[24, 8::16].astype(int) - colours).max() <= 6


BAD = {
    "no folder": ("nowhere/out.mp4", {}, OutputError, "there is no folder"),
    "file as folder": ("file/out.mp4", {}, OutputError, "there is no folder"),
    "unknown ending": ("out.xyz", {}, OutputError, r"ending \.xyz is unknown; known are \.mp4"),
    "no ending": ("out", {}, OutputError, "slash at the end"),
    "full folder": ("full/", {}, OutputError, "is not empty"),
    "file with slash": ("file/", {}, OutputError, "is a file"),
    "unknown encoder": ("out.mp4", {"codec": "no_such"}, OutputError, "has no video encoder no_such; it has libx264, "),
    "sound encoder": ("out.mp4", {"codec": "aac"}, OutputError, "has no video encoder aac"),
    "wrong container": ("out.webm", {"codec": "libx264"}, OutputError, "webm holds no libx264 video"),
    "unknown option": ("out.mp4", {"options": {"prest": "slow"}}, OptionError, "no option prest: did you mean preset"),
    "bad preset": ("out.mp4", {"options": {"preset": "none"}}, OptionError, "no preset none: it has ultrafast"),
    "bad value": (
        "out.mkv",
        {"codec": "ffv1", "options": {"coder": "x"}},
        OutputError,
        "ffv1 refuses 64x48 .* coder=x",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_output_is_named_in_one_line_and_leaves_nothing(tmp_path, capfd, case):
    name, options, kind, message = BAD[case]
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "frame_000000.png").write_text("x")
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="yuv", subsampling=(2, 2)))
    with pytest.raises(kind, match=message) as caught:
        open_writer(f"{tmp_path}/{name}", info, **options)
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == ["file", "full"]
    assert capfd.readouterr().err == ""


def test_a_folder_that_may_not_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="yuv"))
    with pytest.raises(OutputError, match="no permission"):
        open_writer(tmp_path / "out.mkv", info)


def test_the_input_is_never_the_output(make_clip, tmp_path):
    clip = make_clip()
    info = probe(clip.path)
    (tmp_path / "link.mkv").symlink_to(clip.path)
    for target in (clip.path, tmp_path / "link.mkv", os.path.relpath(clip.path)):
        with pytest.raises(OutputError, match="is the input"):
            open_writer(target, info)
    with pytest.raises(OutputError, match="is the input"):
        open_writer(f"{tmp_path}/", probe_folder(tmp_path))


def probe_folder(folder):
    return VideoInfo(path=str(folder), width=4, height=4, pixels=PixelFormat(kind="rgb", full_range=True))


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "out.gif", "frames/", "one.png"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_of_an_interrupted_output(make_clip, tmp_path, target, error):
    clip = make_clip(audio="aac", count=30)

    def interrupted():
        with (
            open_reader(clip.path) as reader,
            open_writer(f"{tmp_path}/{target}", reader.info, copy_from=clip.path) as writer,
        ):
            writer.write(next(iter(reader)))
            raise error

    with pytest.raises(error):
        interrupted()
    assert leftovers(tmp_path) == ["clip.mkv"]
    assert not any(thread.name == "encode" for thread in threading.enumerate())


def test_an_older_output_stays_until_the_new_one_is_whole(make_clip, copy_through, tmp_path):
    clip = make_clip()
    (tmp_path / "out.mkv").write_text("old")
    info = probe(clip.path)
    with pytest.raises(ZeroDivisionError), open_writer(tmp_path / "out.mkv", info):
        raise ZeroDivisionError
    assert (tmp_path / "out.mkv").read_text() == "old"
    copy_through(clip.path, tmp_path / "out.mkv")
    assert probe(tmp_path / "out.mkv").width == 64


def test_no_frames_is_an_error(tmp_path):
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="yuv", subsampling=(2, 2)))
    for target in ("out.mkv", "frames/"):
        with pytest.raises(OutputError, match="there are no frames"):
            write_clip(f"{tmp_path}/{target}", info, [])
    assert leftovers(tmp_path) == []


def test_one_picture_holds_one_frame(make_clip, copy_through, tmp_path):
    with pytest.raises(OutputError, match="one picture holds one frame"):
        copy_through(make_clip().path, tmp_path / "out.png")
    assert leftovers(tmp_path) == ["clip.mkv"]


def test_wrong_planes_are_refused(tmp_path):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2))
    info = VideoInfo(width=64, height=48, pixels=pixels)
    with pytest.raises(FormatError, match="frame 0 has planes"):
        write_clip(tmp_path / "out.mkv", info, [Frame(noise_planes(pixels, 64, 50), 0)])
    deep = tuple(plane.astype(np.uint16) for plane in noise_planes(pixels, 64, 48))
    with pytest.raises(FormatError, match="uint16"):
        write_clip(tmp_path / "out.mkv", info, [Frame(deep, 0)])
    assert leftovers(tmp_path) == []


def test_a_failing_encoder_stops_the_writer():
    taken = []

    def consume(item):
        taken.append(item)
        if item == 2:
            raise OutputError("disk full")

    write_queue = WriteQueue(consume, depth=2)
    with pytest.raises(OutputError, match="disk full"):  # noqa: PT012
        for item in range(1000):
            write_queue.put(item)
        write_queue.finish()
    write_queue.stop()
    assert taken == [0, 1, 2]


def test_options_reach_the_encoder(make_clip, copy_through, tmp_path):
    clip = make_clip(size=(128, 96), count=10)
    sizes = []
    for crf in ("10", "50"):
        copy_through(clip.path, tmp_path / "out.mp4", codec="libx265", options={"crf": crf, "preset": "ultrafast"})
        sizes.append((tmp_path / "out.mp4").stat().st_size)
    assert sizes[0] > 2 * sizes[1]
    assert streams(tmp_path / "out.mp4")["video"] == "hevc"


def test_encoders_print_nothing(make_clip, tmp_path):
    clip = make_clip(size=(128, 96), smooth=True)
    code = (
        "import sys\nfrom vdiff_jax.media import open_reader, open_writer\n"
        "for codec in ('libx264', 'libx265', 'libsvtav1'):\n"
        "    with open_reader(sys.argv[1]) as r, open_writer(sys.argv[2], r.info, codec=codec) as w:\n"
        "        for f in r: w.write(f)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(clip.path), str(tmp_path / "out.mkv")], capture_output=True, check=True
    )
    assert shown.stdout + shown.stderr == b""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads are not scheduled so")
def test_av1_leaves_the_thread_as_pressing_as_it_was(make_clip, copy_through, tmp_path):
    clip = make_clip(size=(128, 96))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    copy_through(clip.path, tmp_path / "out.mkv", codec="libsvtav1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_the_last_frame_lasts_as_long_as_it_is_told_to(tmp_path, name):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2))
    info = VideoInfo(width=64, height=48, pixels=pixels, time_base=Fraction(1, 1000))
    frames = [Frame(noise_planes(pixels, 64, 48), pts, lasts) for pts, lasts in ((0, 40), (40, 40), (80, 900))]
    write_clip(tmp_path / name, info, frames)
    assert probe(tmp_path / name).duration == pytest.approx(0.98, abs=0.001)


def test_sound_and_picture_alternate_in_the_file(make_clip, copy_through, tmp_path):
    """Players stream: neither may lie far behind the other. (FFmpeg itself waits 10 seconds for a late track.)"""
    clip = make_clip(count=100, rate=4, audio="aac")
    copy_through(clip.path, tmp_path / "out.mkv", codec="ffv1")
    latest = {"video": 0.0, "audio": 0.0}
    with av.open(str(tmp_path / "out.mkv")) as container:
        for packet in container.demux():
            if packet.size:
                latest[packet.stream.type] = float(packet.dts * packet.time_base)
                assert abs(latest["video"] - latest["audio"]) < 0.6


def test_a_transparent_gif_stays_transparent(tmp_path):
    pixels = PixelFormat(kind="rgb", full_range=True, alpha=True)
    info = VideoInfo(width=16, height=8, pixels=pixels, rate=Fraction(10), time_base=Fraction(1, 10))
    red, green, blue, alpha = (np.full((8, 16), value, np.uint8) for value in (250, 40, 10, 255))
    alpha[:, 8:] = 0
    write_clip(tmp_path / "out.gif", info, [Frame((red, green, blue, alpha), i) for i in range(2)])
    with open_reader(tmp_path / "out.gif") as reader:
        planes = list(reader)[-1].planes
    assert np.array_equal(planes[3], alpha)
    assert np.abs(planes[0][:, :8].astype(int) - 250).max() < 12
