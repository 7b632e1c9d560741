"""GIF: times, colours and transparency."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax.media import Frame, PixelFormat, VideoInfo, open_reader, read_picture


def test_a_gif_keeps_times_and_nearly_the_colours(make_clip, copy_through, tmp_path):
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


def test_a_transparent_gif_stays_transparent(tmp_path, write_clip):
    pixels = PixelFormat(kind="rgb", full_range=True, alpha=True)
    info = VideoInfo(width=16, height=8, pixels=pixels, rate=Fraction(10), time_base=Fraction(1, 10))
    red, green, blue, alpha = (np.full((8, 16), value, np.uint8) for value in (250, 40, 10, 255))
    alpha[:, 8:] = 0
    write_clip(tmp_path / "out.gif", info, [Frame((red, green, blue, alpha), i) for i in range(2)])
    with open_reader(tmp_path / "out.gif") as reader:
        planes = list(reader)[-1].planes
    assert np.array_equal(planes[3], alpha)
    assert np.abs(planes[0][:, :8].astype(int) - 250).max() < 12
