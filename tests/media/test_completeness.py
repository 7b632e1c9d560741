"""Even one frame that a file lacks is named; whole files give no warning."""

import av
import pytest

from vdiff_jax.media import open_reader
from vdiff_jax.media.completeness import declared_packets, is_cut_off

NAMES = ["a.mp4", "a.mov", "a.avi", "a.flv", "a.wmv", "a.ogv", "a.ts", "a.mpg", "a.mkv", "a.gif", "a.apng"]
CODECS = {".mpg": "mpeg2video", ".wmv": "wmv2", ".ogv": "libvpx", ".gif": "gif", ".apng": "apng"}
FORMS = {".gif": "rgb8", ".apng": "rgb24"}


@pytest.fixture
def whole(tmp_path):
    """Writes 12 frames without sound. The index of an MP4 comes first, so that the end can be cut off."""

    def write(name, movflags="faststart"):
        path = tmp_path / name
        options = {"movflags": movflags} if path.suffix in (".mp4", ".mov") else {}
        with av.open(str(path), "w", container_options=options) as output:
            stream = output.add_stream(CODECS.get(path.suffix, "libx264"), rate=25)
            stream.codec_context.gop_size = 4
            stream.width, stream.height, stream.pix_fmt = 64, 48, FORMS.get(path.suffix, "yuv420p")
            for number in range(12):
                frame = av.VideoFrame(64, 48, "gray")
                for plane in frame.planes:
                    plane.update(bytes((number * 20 + n) % 256 for n in range(plane.buffer_size)))
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
        return path

    return write


def count_of(path):
    with open_reader(path) as reader:
        return sum(1 for _ in reader)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_cut_off_is_named_and_a_whole_one_is_not(whole, name, caplog):
    path = whole(name)
    assert count_of(path) == 12
    assert not caplog.records
    path.write_bytes(path.read_bytes()[:-40])
    assert count_of(path) <= 12
    [record] = caplog.records
    assert "is truncated or damaged" in record.getMessage()


def test_fragments_that_an_mp4_lacks_are_missed(whole, caplog):
    """FFmpeg writes the index of the fragments at the end."""
    path = whole("a.mp4", "frag_keyframe+empty_moov")
    assert count_of(path) == 12
    assert not caplog.records
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moof") - 4])
    assert count_of(path) == 8
    [record] = caplog.records
    assert record.getMessage().endswith("is truncated or damaged: 8 frames were read")


@pytest.mark.parametrize(("seconds", "cut"), [(30.0, False), (29.5, False), (20.0, True), (None, False)])
def test_an_mp4_may_declare_how_long_its_fragments_last(tmp_path, seconds, cut):
    def box(kind, *parts):
        content = b"".join(parts)
        return (8 + len(content)).to_bytes(4, "big") + kind + content

    def numbers(*values):
        return b"".join(value.to_bytes(4, "big") for value in values)

    header = box(b"moov", box(b"mvhd", numbers(0, 0, 0, 1000, 0)), box(b"mvex", box(b"mehd", numbers(0, 30_000))))
    (tmp_path / "a.mp4").write_bytes(header + box(b"moof"))
    assert is_cut_off(str(tmp_path / "a.mp4"), {"mp4"}, seconds) == cut


def test_frames_that_an_edit_list_hides_are_not_missed(whole, tmp_path, caplog):
    with av.open(str(whole("a.mp4"))) as source, av.open(str(tmp_path / "cut.mp4"), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                shift = round(0.2 / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                output.mux(packet)
    assert count_of(tmp_path / "cut.mp4") == 7
    assert not caplog.records
    with av.open(str(tmp_path / "cut.mp4")) as container:
        assert declared_packets(container, container.streams.video[0]) == 7


def test_a_lost_packet_of_a_transport_stream_is_named(whole, caplog):
    path = whole("a.ts")
    data = path.read_bytes()
    middle = len(data) // 188 // 2 * 188
    path.write_bytes(data[:middle] + data[middle + 188 :])
    count_of(path)
    assert "is truncated or damaged" in caplog.text
