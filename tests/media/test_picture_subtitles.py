"""Picture subtitles (PGS, as Blu-rays have them): copied, cut with the video, or named."""

import struct

import av
import pytest


def segment(seconds, kind, payload):
    return b"PG" + struct.pack(">IIBH", round(seconds * 90000), 0, kind, len(payload)) + payload


def pgs(shown):
    """A .sup file: a white bar of 32×8 pixels in a video of 64×48, from each first to each second number of seconds."""
    result = b""
    window = struct.pack(">BBHHHH", 1, 0, 16, 32, 32, 8)
    palette = bytes([0, 0, 1, 235, 128, 128, 255])
    rows = b"\x00\xa0\x01\x00\x00" * 8  # 32 pixels of colour 1, and the end of the line
    picture = struct.pack(">HBB3sHH", 0, 0, 0xC0, (len(rows) + 4).to_bytes(3, "big"), 32, 8) + rows
    for number, (begin, end) in enumerate(shown):
        shows = struct.pack(">HHBHBBBBHBBHH", 64, 48, 16, 2 * number, 0x80, 0, 0, 1, 0, 0, 0, 16, 32)
        clears = struct.pack(">HHBHBBBB", 64, 48, 16, 2 * number + 1, 0, 0, 0, 0)
        parts = [(begin, 0x16, shows), (begin, 0x17, window), (begin, 0x14, palette), (begin, 0x15, picture)]
        parts += [(begin, 0x80, b""), (end, 0x16, clears), (end, 0x17, window), (end, 0x80, b"")]
        result += b"".join(segment(*part) for part in parts)
    return result


@pytest.fixture
def film(make_clip, tmp_path):
    """Three seconds of video with two PGS subtitles."""
    clip, subtitles = make_clip("clip.mkv", smooth=True, count=75), tmp_path / "bars.sup"
    subtitles.write_bytes(pgs([(0.2, 0.8), (1.0, 2.0)]))
    path = tmp_path / "film.mkv"
    with av.open(str(clip.path)) as pictures, av.open(str(subtitles)) as bars, av.open(str(path), "w") as output:
        packets = []
        for stream in (pictures.streams.video[0], bars.streams.subtitles[0]):
            copy = output.add_stream_from_template(stream, opaque=True)
            for packet in stream.container.demux(stream):
                if packet.size:
                    packet.stream = copy
                    packets.append(packet)
        output.start_encoding()
        output.mux(sorted(packets, key=lambda packet: packet.pts * packet.time_base))
    return path


def bars(path):
    """The time in seconds and the bytes of each subtitle packet."""
    with av.open(str(path)) as container:
        assert container.streams.subtitles[0].codec_context.codec.canonical_name == "hdmv_pgs_subtitle"
        packets = [packet for packet in container.demux(subtitles=0) if packet.size]
        return [(round(float(packet.pts * packet.time_base), 3), bytes(packet)) for packet in packets]


def test_they_are_copied_with_their_times(film, copy_through, tmp_path, caplog):
    assert [time for time, _ in bars(film)] == [0.2, 0.8, 1.0, 2.0]
    copy_through(film, tmp_path / "out.mkv")
    assert bars(tmp_path / "out.mkv") == bars(film)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("start", "stop", "times"), [(0.48, None, [0, 0.32, 0.52, 1.52]), (1.4, 1.8, [0]), (2.2, None, [0])]
)
def test_the_one_on_the_screen_begins_with_the_part(film, copy_through, tmp_path, start, stop, times):
    copy_through(film, tmp_path / "out.mkv", start=start, stop=stop)
    found = bars(tmp_path / "out.mkv")
    assert [time for time, _ in found] == pytest.approx(times, abs=0.002)
    assert found[0][1] == bars(film)[{0.48: 0, 1.4: 2, 2.2: 3}[start]][1]


def test_where_they_can_t_be_kept_a_warning_names_the_output_that_keeps_them(film, copy_through, tmp_path, caplog):
    copy_through(film, tmp_path / "out.mp4")
    [record] = caplog.records
    assert "the subtitle track 1: mp4 can't hold picture subtitles; .mkv keeps them" in record.getMessage()
