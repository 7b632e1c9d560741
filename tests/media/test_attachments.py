"""Remuxing a video track with an attachment and another file's sound."""

from fractions import Fraction

import av
import pytest

from vdiff_jax.errors import InputError, OutputError
from vdiff_jax.media import expected_bytes, probe, read_attachment, remux, video_bytes


def times(path, kind):
    """The time of each packet in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.best(kind)
        return [packet.pts * stream.time_base for packet in container.demux(stream) if packet.size]


@pytest.fixture
def source(make_clip):
    return make_clip("source.mp4", codec="libx264", smooth=True, count=12, audio="aac").path


def test_the_track_stays_and_sound_and_attachment_are_added(make_clip, source, streams, tmp_path):
    track = make_clip("track.mp4", codec="libx264", smooth=True, count=12, options={"crf": "40"}).path
    target = tmp_path / "out.mkv"
    remux(track, target, b"settings", probe(source), copy_from=source)
    assert read_attachment(target) == b"settings"
    assert video_bytes(target) == video_bytes(track) < video_bytes(source)
    with av.open(str(target)) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}
    assert len(times(target, "audio")) >= len(times(source, "audio")) - 1


def test_every_track_starts_when_the_source_s_does(source, tmp_path):
    """Matroska's header declares the encoder priming, so no track is delayed to make room for it."""
    remux(source, tmp_path / "out.mkv", None, probe(source), copy_from=source)
    for kind in ("video", "audio"):
        expected = times(source, kind)
        assert [float(time) for time in times(tmp_path / "out.mkv", kind)] == pytest.approx(expected, abs=0.001)
    assert min(times(source, "audio")) == Fraction(-1024, 48000)


def test_an_attached_file_of_an_earlier_version_is_read(source, tmp_path):
    with av.open(str(source)) as inside, av.open(str(tmp_path / "earlier.mkv"), "w") as output:
        stream = output.add_stream_from_template(inside.streams.video[0])
        output.add_attachment("vdiff", "application/x-vdiff", b"settings")
        for packet in inside.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    assert read_attachment(tmp_path / "earlier.mkv") == b"settings"


def test_files_without_an_attachment_have_none(source, tmp_path):
    assert read_attachment(source) is None
    assert read_attachment(tmp_path / "nothing") is None
    (tmp_path / "text.mkv").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"text\.mkv"):
        read_attachment(tmp_path / "text.mkv")


def test_a_target_that_can_t_be_written_is_an_error(source, tmp_path):
    with pytest.raises(OutputError, match="can't be written"):
        remux(source, tmp_path / "no" / "out.mkv", None, probe(source), copy_from=None)


def test_a_sample_s_key_frame_counts_once_in_250_frames():
    assert expected_bytes([[1000, 100, 100], [2000, 300, 300]], 300) == 2 * 1500 + 298 * 200
    assert expected_bytes([[1000, 100, 100]], 3) == 1200
    assert expected_bytes([[1000]], 10) == 10_000
