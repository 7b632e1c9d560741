"""The choice of pixel formats and options for an encoder."""

import os
import subprocess
import sys

import av
import numpy as np
import pytest

from vdiff_jax.errors import OptionError
from vdiff_jax.media import Frame, PixelFormat, VideoInfo, check_encoder, probe


@pytest.mark.parametrize("size", [(53, 47), (53, 48), (54, 47)])
def test_odd_sizes_are_kept(make_clip, decode, copy_through, tmp_path, size):
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


def test_rgb_becomes_tagged_420_with_the_same_colours(tmp_path, write_clip):
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


def test_options_reach_the_encoder(make_clip, copy_through, tmp_path, streams):
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
def test_av1_leaves_the_scheduling_policy_unchanged(make_clip, copy_through, tmp_path):
    clip = make_clip(size=(128, 96))
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    copy_through(clip.path, tmp_path / "out.mkv", codec="libsvtav1")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_av1_refuses_the_crf_that_it_would_ignore(tmp_path):
    with pytest.raises(OptionError, match="pass one from 1 to 63"):
        check_encoder(tmp_path / "out.mkv", "av1", {"crf": "0"})
