"""Sound, subtitles, chapters and metadata are copied (`copies`, `tracks` and `codec_delay`)."""

from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax.errors import OptionError, OutputError
from vdiff_jax.media import probe
from vdiff_jax.media.tracks import check_audio_codec


def sound(path):
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
        return float(frames[0].pts * frames[0].time_base), np.concatenate([f.to_ndarray() for f in frames], -1)


def sound_packets(path):
    """The content of each sound packet and its time in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return {bytes(p): p.pts * stream.time_base for p in container.demux(stream) if p.size}


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
@pytest.mark.parametrize(("start", "stop"), [(None, None), (1, 3)])
def test_sound_is_copied_and_stays_in_sync(make_clip, copy_through, tmp_path, name, start, stop, streams):
    clip = make_clip("clip.mp4", codec="libx264", smooth=True, count=100, audio="aac")
    copy_through(clip.path, tmp_path / name, start=start, stop=stop)
    assert streams(tmp_path / name) == {"video": "h264", "audio": "aac"}
    before, after = sound_packets(clip.path), sound_packets(tmp_path / name)
    tolerance = Fraction(1, 1900) if name == "out.mkv" else 0
    assert all(abs(before[content] - (start or 0) - time) <= tolerance for content, time in after.items())
    kept = [time for time in before.values() if time >= (start or 0) and (stop is None or time < stop)]
    assert len(kept) <= len(after) <= len(kept) + 1
    assert probe(tmp_path / name).frames == (50 if start else 100)


@pytest.mark.parametrize(("name", "codec"), [("out.mp4", "aac"), ("out.webm", "opus"), ("out.mkv", "pcm_s16le")])
def test_sound_that_a_container_can_t_hold_is_encoded_again(make_clip, copy_through, tmp_path, name, codec, streams):
    clip = make_clip("clip.mkv", smooth=True, count=50, audio="pcm_s16le")
    copy_through(clip.path, tmp_path / name)
    assert streams(tmp_path / name)["audio"] == codec
    begin, samples = sound(tmp_path / name)
    assert begin == pytest.approx(0, abs=0.03)
    tone = samples.reshape(-1) if codec == "pcm_s16le" else samples[0]
    tone = (tone[::2] if codec == "pcm_s16le" else tone)[4800:52800].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(tone))
    assert abs(spectrum.argmax() - 440) <= 1


@pytest.mark.parametrize(("codec", "expected"), [("flac", "flac"), ("opus", "opus"), ("none", None)])
def test_sound_is_encoded_in_the_codec_that_was_asked_for(make_clip, copy_through, tmp_path, codec, expected, streams):
    clip = make_clip("clip.mp4", codec="libx264", smooth=True, count=25, audio="aac")
    copy_through(clip.path, tmp_path / "out.mkv", audio_codec=codec)
    assert streams(tmp_path / "out.mkv").get("audio") == expected


def test_an_audio_codec_that_no_container_or_this_one_can_t_hold_is_refused():
    with pytest.raises(OptionError, match="pass one of copy, none, aac"):
        check_audio_codec("matroska", "mp2")
    with pytest.raises(OutputError, match="pass opus, or write"):
        check_audio_codec("webm", "aac")


def test_metadata_and_chapters_are_copied(make_clip, copy_through, tmp_path):
    base = Fraction(1, 1000)
    chapters = [
        {"id": 1, "start": 0, "end": 1000, "time_base": base, "metadata": {"title": "one"}},
        {"id": 2, "start": 1000, "end": 4000, "time_base": base, "metadata": {"title": "two"}},
    ]
    clip = make_clip(count=100, smooth=True, metadata={"title": "A walk", "artist": "N. N."}, chapters=chapters)
    for name in ("out.mp4", "out.mkv"):
        copy_through(clip.path, tmp_path / name)
        copy_through(clip.path, tmp_path / f"cut_{name}", start=0.6, stop=2)
        with av.open(str(tmp_path / name)) as whole, av.open(str(tmp_path / f"cut_{name}")) as cut:
            tags = {key.lower(): value for key, value in whole.metadata.items()}
            assert (tags["title"], tags["artist"]) == ("A walk", "N. N.")
            assert chapter_times(whole) == [("one", 0, 1), ("two", 1, 4)]
            assert chapter_times(cut) == [("one", 0, 0.4), ("two", 0.4, 1.4)]


def chapter_times(container):
    return [
        (c["metadata"]["title"], float(c["start"] * c["time_base"]), float(c["end"] * c["time_base"]))
        for c in container.chapters()
    ]


def test_a_track_keeps_its_language_and_name(make_clip, copy_through, tmp_path):
    clip = make_clip("clip.mkv", smooth=True, count=3)
    with av.open(str(clip.path)) as inside, av.open(str(tmp_path / "named.mkv"), "w") as outside:
        stream = outside.add_stream_from_template(inside.streams.video[0])
        stream.metadata.update(language="fra", title="Main camera")
        for packet in inside.demux(video=0):
            if packet.size:
                packet.stream = stream
                outside.mux(packet)
    copy_through(tmp_path / "named.mkv", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        stream = container.streams.video[0]
        assert (stream.language, stream.metadata["title"]) == ("fra", "Main camera")


def test_attached_fonts_are_copied(make_clip, copy_through, tmp_path):
    clip = make_clip("clip.mkv", smooth=True, count=3)
    with av.open(str(clip.path)) as inside, av.open(str(tmp_path / "font.mkv"), "w") as outside:
        stream = outside.add_stream_from_template(inside.streams.video[0])
        outside.add_attachment("letters.ttf", "font/ttf", b"some letters")
        for packet in inside.demux(video=0):
            if packet.size:
                packet.stream = stream
                outside.mux(packet)
    copy_through(tmp_path / "font.mkv", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        attached = container.streams.attachments[0]
        assert (attached.name, attached.data) == ("letters.ttf", b"some letters")


def add_subtitles(source, target, texts):
    """A copy of a video with SubRip subtitles, one a second."""
    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        video = outside.add_stream_from_template(inside.streams.video[0])
        words = outside.add_mux_stream("subrip")
        words.time_base = Fraction(1, 1000)
        words.metadata["language"] = "deu"
        for second, text in enumerate(texts):
            packet = av.Packet(text.encode())
            packet.pts = packet.dts = second * 1000
            packet.duration, packet.time_base, packet.stream = 800, Fraction(1, 1000), words
            outside.mux(packet)
        for packet in inside.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                outside.mux(packet)


@pytest.mark.parametrize(("name", "codec"), [("out.mkv", "subrip"), ("out.mp4", "mov_text"), ("out.webm", "webvtt")])
def test_subtitles_are_copied_or_converted(make_clip, copy_through, tmp_path, name, codec):
    clip = make_clip("clip.mkv", smooth=True, count=75)
    add_subtitles(clip.path, tmp_path / "words.mkv", ["first", "second", "third"])
    copy_through(tmp_path / "words.mkv", tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.subtitles[0]
        assert stream.codec_context.codec.canonical_name == codec
        assert stream.language == "deu"
        shown = {}
        for packet in container.demux(stream):
            for line in packet.decode() if packet.size else ():
                shown[float(packet.pts * packet.time_base)] = line.dialogue.decode()
    assert {time: text for time, text in shown.items() if text} == {0.0: "first", 1.0: "second", 2.0: "third"}


def test_sound_and_picture_are_interleaved(make_clip, copy_through, tmp_path):
    """Players stream: neither may lie far behind the other. (FFmpeg itself waits 10 seconds for a late track.)"""
    clip = make_clip(count=100, rate=4, audio="aac")
    copy_through(clip.path, tmp_path / "out.mkv", codec="ffv1")
    latest = {"video": 0.0, "audio": 0.0}
    with av.open(str(tmp_path / "out.mkv")) as container:
        for packet in container.demux():
            if packet.size:
                latest[packet.stream.type] = float(packet.dts * packet.time_base)
                assert abs(latest["video"] - latest["audio"]) < 0.6


@pytest.mark.parametrize("source", ["clip.mp4", "clip.mkv"])
@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
def test_sound_before_the_start_is_copied_with_its_delay(flash_clip, copy_through, tmp_path, source, name):
    """AAC encoders put 1024 samples of priming before time 0: players need that packet, and the header's delay."""
    clip = flash_clip(tmp_path / source)
    copy_through(clip, tmp_path / name)
    before, after = sound_packets(clip), sound_packets(tmp_path / name)
    assert list(after) == list(before)
    assert min(before.values()) == pytest.approx(-1024 / 48000, abs=0.0005)
    assert list(after.values()) == pytest.approx(list(before.values()), abs=0.00051)
    assert video_times(tmp_path / name) == pytest.approx(video_times(clip), abs=0.00051)
    if name == "out.mkv":
        with av.open(str(tmp_path / name)) as container:
            assert container.streams.audio[0].codec_context.delay == 1024


def video_times(path):
    with av.open(str(path)) as container:
        return [frame.time for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4"])
def test_a_subtitle_on_the_screen_at_the_start_of_a_part_is_shortened(make_clip, copy_through, tmp_path, name):
    clip = make_clip("clip.mkv", smooth=True, count=100)
    add_subtitles(clip.path, tmp_path / "words.mkv", ["gone", "cut", "whole", "cut at the end"])
    copy_through(tmp_path / "words.mkv", tmp_path / name, start=1.6, stop=3.4)
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.subtitles[0]
        shown = [
            (line.dialogue.decode(), packet.pts * packet.time_base, packet.duration * packet.time_base)
            for packet in container.demux(stream)
            for line in (packet.decode() if packet.size else ())
        ]
    shown = [(text, round(float(begin), 3), round(float(lasts), 3)) for text, begin, lasts in shown if text]
    assert shown == [("cut", 0, 0.2), ("whole", 0.4, 0.8), ("cut at the end", 1.4, 0.4)]
