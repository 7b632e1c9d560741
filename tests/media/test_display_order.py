"""Frames of containers without times of display (`display_order`)."""

from fractions import Fraction

import av
import pytest

from vdiff_jax.media import open_reader


@pytest.mark.parametrize("name", ["tape.avi", "tape.mxf"])
def test_avi_and_mxf_frames_come_in_order_one_frame_apart(tmp_path, name):
    """They have no time stamps of display, and FFmpeg's decoder mixes up those of the packets with B-frames."""
    path = tmp_path / name
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"bf": "2", "b-adapt": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for n in range(12):
            picture = av.VideoFrame(64, 48, "gray")
            picture.planes[0].update(bytes([10 * n + 40]) * picture.planes[0].buffer_size)
            picture = picture.reformat(format="yuv420p")
            picture.pts, picture.time_base = n, Fraction(1, 25)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    with open_reader(path) as reader:
        frames = list(reader)
    assert [frame.pts for frame in frames] == list(range(frames[0].pts, frames[0].pts + 12))
    if name == "tape.avi":
        assert frames[0].pts == 0  # the sound begins at 0 too, and knows nothing of the decoder's delay
    lumas = [float(frame.planes[0].mean()) for frame in frames]
    assert lumas == sorted(lumas)
