"""Cover pictures come through."""

import av
import numpy as np
import pytest

from vdiff_jax.media import open_reader, open_writer


@pytest.fixture
def covered(make_clip, tmp_path):
    """A clip as Matroska with a cover, and the cover's bytes."""
    clip = make_clip()
    encoder = av.CodecContext.create("png", "w")
    encoder.width = encoder.height = 32
    encoder.pix_fmt, encoder.time_base = "rgb24", 1
    picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 77, np.uint8), "rgb24")
    cover = b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
    path = tmp_path / "covered.mkv"
    with av.open(str(clip.path)) as source, av.open(str(path), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        output.add_attachment("cover.png", "image/png", cover)
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    return path, cover


def copy(source, target):
    with open_reader(source) as reader, open_writer(target, reader.info, copy_from=source) as writer:
        for frame in reader:
            writer.write(frame)


@pytest.mark.parametrize("name", ["o.mp4", "o.mkv"])
def test_a_cover_is_kept(covered, tmp_path, name, caplog):
    path, cover = covered
    copy(path, tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        attached = [s for s in container.streams.video if s.disposition & av.stream.Disposition.attached_pic]
        assert [bytes(p) for p in container.demux(attached[0]) if p.size] == [cover]
    assert not caplog.text


@pytest.mark.parametrize("name", ["o.webm", "o.mov"])
def test_a_lost_cover_is_one_warning(covered, tmp_path, caplog, name):
    copy(covered[0], tmp_path / name)
    assert len(caplog.records) == 1
    assert "cover picture" in caplog.text
    assert ".mkv" in caplog.text
