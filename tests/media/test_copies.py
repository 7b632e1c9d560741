"""Copied tracks: further video tracks, sound packets without a duration, layouts that a container loses."""

import io
from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax.media import probe
from vdiff_jax.media.copies import Copy, Transcode, layout_loss


def packet_of_sound(time):
    """2048 samples of 48 kHz, whose time AVI counts in packets."""
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, time, Fraction(2048, 48000)
    return frame


def test_sound_with_coarse_times_is_encoded_again_without_gaps(make_clip):
    """WMA's decoder gives the last frame no time."""
    clip = make_clip("clip.mkv", smooth=True, count=2, audio="aac")
    with av.open(str(clip.path)) as source, av.open(io.BytesIO(), "w", format="mov") as output:
        track = Transcode(output, source.streams.audio[0], "aac")
        packets = list(track.encoded(map(packet_of_sound, (2, 3, 4, None)), Fraction(0)))
        packets += track.flush()
        times = [packet.pts for packet in packets]
        assert np.diff(times).tolist() == [1024] * 8
        assert times[0] == 2 * 2048 - 1024  # AAC's priming
        output.mux(packets)


def test_sound_of_joined_recordings_rises_and_a_change_of_its_channels_is_said_once(make_clip, caplog):
    """The second recording begins one packet before the first one ends. Matroska allows packets of the same time."""
    clip = make_clip("clip.mkv", smooth=True, count=2, audio="aac")
    with av.open(str(clip.path)) as source, av.open(io.BytesIO(), "w", format="matroska") as output:
        sound = source.streams.audio[0]
        copy, written = Copy(output, sound), []
        output.start_encoding()
        for time, channels in ((0, 0x80), (0, 0x80), (21, 0x80), (42, 0x80), (22, 0x40), (43, 0x40), (64, 0x40)):
            packet = av.Packet(bytes([0xFF, 0xF1, 0x4C, channels, 0, 0, 0]))
            packet.stream, packet.time_base = sound, Fraction(1, 1000)
            packet.pts = packet.dts = time
            written += list(copy.packets(packet, Fraction(0)))
        assert [packet.dts for packet in written] == [0, 0, 21, 42, 42, 43, 64]
        assert [packet.pts for packet in written] == [0, 0, 21, 42, 42, 43, 64]
    assert caplog.text.count("changes its rate or its channels at 0.0 s") == 1


@pytest.mark.parametrize("codec", ["libmp3lame", "aac", "libopus"])
def test_sound_of_an_mp4_is_copied_into_matroska(make_clip, copy_through, tmp_path, codec, caplog):
    clip = make_clip("clip.mp4", codec="libx264", smooth=True, count=20, audio=codec)
    copy_through(clip.path, tmp_path / "out.mkv")

    def packets(path):
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert packets(tmp_path / "out.mkv") == packets(clip.path)
    assert caplog.text == ""


@pytest.fixture
def angles(tmp_path):
    """A file with two video tracks of 64×48 and 32×24 pixels with B-frames: the second one is brighter."""
    path = tmp_path / "angles.mkv"
    with av.open(str(path), "w") as output:
        streams = []
        for width, height in ((64, 48), (32, 24)):
            stream = output.add_stream("libx264", rate=25, options={"bf": "2", "g": "8", "b-adapt": "0"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            streams.append(stream)
        packets = []
        for n in range(20):
            for stream, luma in zip(streams, (40, 180)):
                picture = av.VideoFrame(stream.width, stream.height, "gray")
                picture.planes[0].update(bytes([luma + n]) * picture.planes[0].buffer_size)
                picture = picture.reformat(format="yuv420p")
                picture.pts, picture.time_base = n, Fraction(1, 25)
                packets += stream.encode(picture)
        for stream in streams:
            packets += stream.encode(None)
        output.start_encoding()
        output.mux(sorted(packets, key=lambda packet: packet.dts * packet.time_base))
    return path


def frames_of(path, track):
    with av.open(str(path)) as container:
        stream = container.streams.video[track]
        return [
            (round(frame.time, 3), frame.width, round(float(frame.to_ndarray(format="gray").mean())))
            for frame in container.decode(stream)
        ]


@pytest.mark.parametrize("name", ["out.mkv", "out.mp4", "out.mov"])
def test_a_further_video_track_is_copied(angles, copy_through, tmp_path, name, caplog):
    copy_through(angles, tmp_path / name)
    assert frames_of(tmp_path / name, 1) == frames_of(angles, 1)
    assert len(frames_of(tmp_path / name, 0)) == 20
    assert probe(tmp_path / name).width == 64
    assert caplog.text == ""


def test_a_further_video_track_of_a_part_begins_with_a_key_frame(angles, copy_through, tmp_path):
    copy_through(angles, tmp_path / "out.mkv", start=0.2)
    whole = dict(zip([time for time, *_ in frames_of(angles, 1)], frames_of(angles, 1)))
    shown = frames_of(tmp_path / "out.mkv", 1)
    first = round(shown[0][0] + 0.2, 3)
    assert 0.2 <= first <= 0.36
    assert len(shown) == sum(time >= first for time in whole)
    assert all(whole[round(time + 0.2, 3)][2] == luma for time, _, luma in shown)


def test_webm_loses_it_with_one_warning_for_all_tracks(angles, copy_through, tmp_path, caplog):
    copy_through(angles, tmp_path / "out.webm")
    [record] = caplog.records
    assert "the video track 1: webm can't hold it; .mkv keeps it" in record.getMessage()


def test_the_last_sound_packet_is_kept_where_packets_have_no_duration(make_clip, copy_through, tmp_path):
    clip = make_clip("clip.mkv", codec="libx264", smooth=True, count=25, audio="alac")
    copy_through(clip.path, tmp_path / "out.mp4")

    def packets(path):
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert packets(tmp_path / "out.mp4") == packets(clip.path)


def context(name, layout):
    context = av.CodecContext.create(name, "w")
    context.layout = layout
    return context


def test_an_unknown_layout_is_encoded_as_the_one_that_players_assume():
    output = io.BytesIO()
    with av.open(output, "w", format="matroska") as file:
        sound = file.add_stream("pcm_s16le", rate=48000, layout="quad")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4 * 960), np.int16), format="s16", layout="quad")
        frame.sample_rate, frame.pts = 48000, 0
        file.mux([*sound.encode(frame), *sound.encode(None)])
    with av.open(io.BytesIO(output.getvalue())) as source, av.open(io.BytesIO(), "w", format="mp4") as file:
        assert source.streams.audio[0].layout.name == "4 channels"
        assert Transcode(file, source.streams.audio[0], "aac").stream.layout.name == "4.0"


def test_layouts_that_change_are_named():
    assert "from 7.1(wide) to 7.1 in aac" in layout_loss(context("pcm_s16le", "7.1(wide)"), "aac", "mp4")
    assert layout_loss(context("pcm_s16le", "quad"), "aac", "mp4") is None
    assert "quad, for 4.0" in layout_loss(context("pcm_s16le", "quad"), None, "matroska")
    assert layout_loss(context("pcm_s16le", "quad"), None, "mov") is None
    assert layout_loss(context("pcm_s16le", "stereo"), None, "matroska") is None
    assert layout_loss(context("flac", "quad"), None, "matroska") is None
    assert "5.1, for 5.1(side), because FLAC in MP4" in layout_loss(context("flac", "5.1"), None, "mp4")
    assert layout_loss(context("flac", "5.1(side)"), None, "mp4") is None
    assert layout_loss(context("flac", "5.1"), None, "matroska") is None
    assert layout_loss(context("pcm_s16le", "2 channels"), "flac", "matroska") is None
    assert "from 7 channels to 7.1 in aac" in layout_loss(context("pcm_s16le", "7 channels"), "aac", "mp4")
    assert "from 12 channels to 7.1 in libopus" in layout_loss(context("pcm_s16le", "12 channels"), "libopus", "webm")
