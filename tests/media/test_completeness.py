"""Even one frame that a file lacks is named; whole files give no warning."""

import av
import pytest

from vdiff_jax.media import open_reader
from vdiff_jax.media.completeness import declared_packets

NAMES = ["a.mp4", "a.mov", "a.avi", "a.flv", "a.wmv", "a.ogv", "a.ts", "a.mkv", "a.gif", "a.apng"]
CODECS = {".wmv": "wmv2", ".ogv": "libvpx", ".gif": "gif", ".apng": "apng"}
FORMS = {".gif": "rgb8", ".apng": "rgb24"}


@pytest.fixture
def whole(tmp_path):
    """Writes 12 frames without sound. The index of an MP4 comes first, so that the end can be cut off."""

    def write(name):
        path = tmp_path / name
        options = {"movflags": "faststart"} if path.suffix in (".mp4", ".mov") else {}
        with av.open(str(path), "w", container_options=options) as output:
            stream = output.add_stream(CODECS.get(path.suffix, "libx264"), rate=25)
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
