"""Writing: formats, stdout, and outputs that are complete or absent."""

import subprocess
import sys
import threading

import av
import numpy as np
import pytest

from vdiff_jax.errors import FormatError, OptionError, OutputError
from vdiff_jax.media import Frame, PixelFormat, VideoInfo, open_reader, open_writer, probe

FORMATS = (
    "yuv420p yuv422p yuv444p yuv411p yuv440p yuv410p yuv420p9le yuv420p10le yuv422p12le yuv444p14le yuv420p16le "
    "yuva420p yuva444p10le gray gray10le gray16le gbrp gbrp10le gbrp16le gbrap gbrap12le"
)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *((name, size) for name in FORMATS.split() for size in ((53, 47), (64, 48))),
        ("yuv411p", (718, 482)),  # above 352x288, FFmpeg's FFV1 has at least four slices
        ("yuv410p", (718, 482)),
    ],
)
def test_ffv1_is_lossless_in_every_format(tmp_path, name, size, write_clip, noise_planes):
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


def test_stdout_is_yuv4mpeg2(make_clip, tmp_path):
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


def test_a_closed_pipe_is_an_output_error(make_clip):
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


RGB = PixelFormat(kind="rgb")
BAD = {
    "no folder": ("nowhere/out.mp4", {}, OutputError, "there is no folder"),
    "file as folder": ("file/out.mp4", {}, OutputError, "there is no folder"),
    "unknown ending": ("out.xyz", {}, OutputError, r"ending \.xyz is unknown; use one of \.mp4"),
    "no ending": ("out", {}, OutputError, "slash at the end"),
    "full folder": ("full/", {}, OutputError, "is not empty"),
    "file with slash": ("file/", {}, OutputError, "is a file"),
    "unknown encoder": ("out.mp4", {"codec": "no_such"}, OutputError, "has no video encoder no_such; it has libx264, "),
    "sound encoder": ("out.mp4", {"codec": "aac"}, OutputError, "has no video encoder aac"),
    "wrong container": ("out.webm", {"codec": "libx264"}, OutputError, "webm can't hold libx264 video"),
    "raw R'G'B'": (
        "out.mkv",
        {"codec": "rawvideo", "pixels": RGB},
        OutputError,
        "matroska can't hold rawvideo .* gbrp",
    ),
    "unknown option": ("out.mp4", {"options": {"prest": "slow"}}, OptionError, "no option prest: did you mean preset"),
    "bad preset": ("out.mp4", {"options": {"preset": "none"}}, OptionError, "no preset none: use one of ultrafast"),
    "bad value": (
        "out.mkv",
        {"codec": "ffv1", "options": {"coder": "x"}},
        OutputError,
        "ffv1 rejects 64x48 .* coder=x",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_output_is_an_error_of_one_line_and_leaves_no_file(tmp_path, capfd, case, leftovers):
    name, options, kind, message = BAD[case]
    (tmp_path / "file").write_text("x")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "frame_000000.png").write_text("x")
    pixels = options.get("pixels", PixelFormat(kind="yuv", subsampling=(2, 2)))
    info = VideoInfo(width=64, height=48, pixels=pixels)
    with pytest.raises(kind, match=message) as caught:
        open_writer(f"{tmp_path}/{name}", info, **{key: options[key] for key in options.keys() - {"pixels"}})
    assert "\n" not in str(caught.value)
    assert leftovers(tmp_path) == ["file", "full"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("target", ["out.mp4", "out.mkv", "out.gif", "frames/", "one.png"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_of_an_interrupted_output(make_clip, tmp_path, target, error, leftovers):
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


def test_an_older_output_stays_until_the_new_one_is_complete(make_clip, copy_through, tmp_path):
    clip = make_clip()
    (tmp_path / "out.mkv").write_text("old")
    info = probe(clip.path)
    with pytest.raises(ZeroDivisionError), open_writer(tmp_path / "out.mkv", info):
        raise ZeroDivisionError
    assert (tmp_path / "out.mkv").read_text() == "old"
    copy_through(clip.path, tmp_path / "out.mkv")
    assert probe(tmp_path / "out.mkv").width == 64


def test_an_output_without_frames_is_an_error(tmp_path, leftovers, write_clip):
    info = VideoInfo(width=64, height=48, pixels=PixelFormat(kind="yuv", subsampling=(2, 2)))
    for target in ("out.mkv", "frames/"):
        with pytest.raises(OutputError, match="there are no frames"):
            write_clip(f"{tmp_path}/{target}", info, [])
    assert leftovers(tmp_path) == []


def test_one_picture_holds_one_frame(make_clip, copy_through, tmp_path, leftovers):
    with pytest.raises(OutputError, match="one picture holds one frame"):
        copy_through(make_clip().path, tmp_path / "out.png")
    assert leftovers(tmp_path) == ["clip.mkv"]


def test_planes_of_another_shape_or_type_are_an_error(tmp_path, leftovers, write_clip, noise_planes):
    pixels = PixelFormat(kind="yuv", subsampling=(2, 2))
    info = VideoInfo(width=64, height=48, pixels=pixels)
    with pytest.raises(FormatError, match="frame 0 has planes"):
        write_clip(tmp_path / "out.mkv", info, [Frame(noise_planes(pixels, 64, 50), 0)])
    deep = tuple(plane.astype(np.uint16) for plane in noise_planes(pixels, 64, 48))
    with pytest.raises(FormatError, match="uint16"):
        write_clip(tmp_path / "out.mkv", info, [Frame(deep, 0)])
    assert leftovers(tmp_path) == []
