"""Damaged files: a warning says so even where the decoder reports no error (`damage`, `checksums`)."""

import av
import numpy as np
import pytest

from vdiff_jax.media import open_reader
from vdiff_jax.media.completeness import damaged_elements

COUNT = 12


@pytest.fixture
def clip(tmp_path):
    """Writes 12 frames of noise, 64x48."""

    def write(name, codec):
        path, rng = tmp_path / name, np.random.default_rng(0)
        with av.open(str(path), "w") as output:
            stream = output.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for n in range(COUNT):
                frame = av.VideoFrame.from_ndarray(rng.integers(16, 236, (72, 64), np.uint8), "yuv420p")
                frame.pts = n
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path

    return write


def packets_of(path):
    """Where each packet begins in a file, its size and whether it is a key frame."""
    with av.open(str(path)) as container:
        return [(packet.pos, packet.size, packet.is_keyframe) for packet in container.demux(video=0) if packet.size]


def zero(path, begin, end):
    data = bytearray(path.read_bytes())
    data[begin:end] = bytes(end - begin)
    path.write_bytes(data)


def count(path):
    with open_reader(path) as reader:
        return sum(1 for _ in reader)


CODECS = [
    ("a.mkv", "libx264"),
    ("a.mp4", "libx265"),
    ("a.mp4", "mpeg2video"),
    ("a.webm", "libvpx-vp9"),
    ("a.mkv", "ffv1"),
]


@pytest.mark.parametrize(("name", "codec"), CODECS)
def test_a_whole_file_gives_no_warning(clip, caplog, name, codec):
    assert count(clip(name, codec)) == COUNT
    assert not caplog.records


@pytest.mark.parametrize("name", ["a.mkv", "a.mp4"])
def test_a_file_that_is_cut_by_a_single_frame_in_the_middle_of_the_order(clip, caplog, name):
    """The last frame in the file is not the last one that is shown, so the video lasts as long as before."""
    path = clip("whole.mp4", "libx264")
    fragmented = path.with_name(name)
    options = {"movflags": "empty_moov+default_base_moof"} if name.endswith("mp4") else {}
    with av.open(str(path)) as source, av.open(str(fragmented), "w", options=options) as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    begin = packets_of(fragmented)[-1][0]
    fragmented.write_bytes(fragmented.read_bytes()[: begin + 9])
    assert count(fragmented) < COUNT
    assert "is truncated or damaged" in caplog.text


def test_a_packet_in_the_middle_that_gives_no_frame(clip, caplog):
    path = clip("a.mp4", "libx265")
    begin, size, _ = packets_of(path)[-1]  # no other frame refers to it, and it is not the last one that is shown
    zero(path, begin + 4, begin + size)
    assert count(path) == COUNT - 1
    assert f"is truncated or damaged: {COUNT - 1} of about {COUNT} frames were read" in caplog.text


def test_frames_that_the_decoder_has_patched_are_counted(clip, caplog):
    path = clip("a.mp4", "mpeg2video")
    begin, size, _ = packets_of(path)[4]
    zero(path, begin + size // 2, begin + size // 2 + 40)
    assert count(path) == COUNT
    assert f"{COUNT} frames were read; the decoder has patched errors in 1 of them" in caplog.text


def test_changed_bytes_that_no_decoder_notices_do_not_have_their_checksum(clip, caplog):
    path = clip("a.mkv", "libvpx-vp9")
    assert damaged_elements(str(path)) == 0
    begin, size, _ = packets_of(path)[4]
    zero(path, begin + size // 2, begin + size // 2 + 9)
    assert damaged_elements(str(path)) == 1
    assert count(path) == COUNT
    assert "frames were read; 1 of its parts do not have their checksum" in caplog.text
