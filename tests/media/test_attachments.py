"""Remuxing a video track with an attachment and another file's sound."""

from fractions import Fraction

import av
import pytest

from vdiff_jax.errors import InputError, OutputError
from vdiff_jax.media import audio_lead, probe, read_attachment, remux, video_bytes


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
    remux(track, target, b"settings", probe(source), copy_from=source, lead=0)
    assert read_attachment(target) == b"settings"
    assert video_bytes(target) == video_bytes(track) < video_bytes(source)
    with av.open(str(target)) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio", "attachment"}
    assert len(times(target, "audio")) >= len(times(source, "audio")) - 1


def test_a_lead_delays_every_track(source, tmp_path):
    for name, lead in (("now.mkv", 0), ("later.mkv", 40)):
        remux(source, tmp_path / name, None, probe(source), copy_from=source, lead=lead)
    for kind in ("video", "audio"):
        now, later = times(tmp_path / "now.mkv", kind), times(tmp_path / "later.mkv", kind)
        assert later[-1] - now[-1] == pytest.approx(0.04, abs=0.002)


def test_the_lead_of_the_sound_is_its_priming(source):
    """AAC's 1024 samples at 48 kHz before time 0 are 22 milliseconds, rounded up."""
    first = min(times(source, "audio"))
    assert first == Fraction(-1024, 48000)
    assert audio_lead(source, probe(source)) == 22
    assert audio_lead(None, probe(source)) == 0


def test_files_without_an_attachment_have_none(source, tmp_path):
    assert read_attachment(source) is None
    assert read_attachment(tmp_path / "nothing") is None
    (tmp_path / "text.mkv").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"text\.mkv"):
        read_attachment(tmp_path / "text.mkv")


def test_a_target_that_can_t_be_written_is_an_error(source, tmp_path):
    with pytest.raises(OutputError, match="can't be written"):
        remux(source, tmp_path / "no" / "out.mkv", None, probe(source), copy_from=None, lead=0)
