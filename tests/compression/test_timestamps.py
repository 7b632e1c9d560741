"""Frames are shown at the source's exact times, also where the compressed file was cut afterwards."""

import logging
from fractions import Fraction

import av
import numpy as np
import pytest

from vdiff_jax import media
from vdiff_jax.compression.attachment import Attachment, Timestamps, WeightsId
from vdiff_jax.compression.decoder import decompress
from vdiff_jax.compression.timestamps import kept_numbers, schedule_of

BASE = Fraction(1, 12800)
STEPS = (512, 512, 1536, 512, 512, 512, 1024, 512, 512, 512, 512, 1536, 512, 512, 512, 512)
EXACT = Timestamps(time_base=BASE, first=3, steps=STEPS, lead=22)
"""Uneven steps, and no whole milliseconds."""


def rounded(times):
    """Times in seconds as Matroska holds them."""
    return [Fraction(round(1000 * time), 1000) for time in times]


def in_file(timestamps):
    return [stamp * timestamps.time_base + Fraction(timestamps.lead, 1000) for stamp in timestamps.times]


def test_a_whole_file_has_the_exact_times():
    schedule = schedule_of(Attachment(size=(48, 64), timestamps=EXACT), rounded(in_file(EXACT)), Fraction(0), "a file")
    assert schedule == (EXACT, list(range(16)), Fraction(22, 1000), Fraction(22, 1000))


@pytest.mark.parametrize(("first", "stop"), [(0, 9), (3, 16), (5, 14)])
def test_a_cut_file_has_the_exact_times_of_its_frames(first, stop):
    """FFmpeg cuts a file without decoding: its part starts near 0, and where its picture starts depends on the cut."""
    kept, begin = in_file(EXACT)[first:stop], Fraction(67, 1000)
    own = rounded([time - kept[0] + begin for time in kept])
    schedule = schedule_of(Attachment(size=(48, 64), timestamps=EXACT), own, Fraction(0), "a file")
    times = [float(schedule.start + pts * BASE) for pts in schedule.timestamps.times[: len(kept)]]
    assert times == pytest.approx([float(time - kept[0] + begin) for time in kept], abs=0.001)
    assert schedule.timestamps.steps[: len(kept)] == STEPS[first:stop]


@pytest.mark.parametrize("edited", [False, True])
def test_a_cut_file_at_half_rate_knows_which_frames_it_has(edited, caplog):
    attachment = Attachment(size=(48, 64), timestamps=EXACT, interpolation=WeightsId(name="tiny", digest=b"12345678"))
    exact = np.array(in_file(EXACT))[kept_numbers(attachment, len(STEPS))]
    own = rounded([time - exact[3] + (Fraction(n, 5) if edited else 0) for n, time in enumerate(exact[3:])])
    with caplog.at_level(logging.WARNING):
        schedule = schedule_of(attachment, own, Fraction(0), "a file")
    assert ("was edited after it was compressed" in caplog.text) == edited
    assert schedule.numbers == ([0, 2, 4, 6, 8, 10] if edited else [0, 2, 4, 6, 8, 9])
    stamps = schedule.timestamps
    times = np.array(stamps.times)[schedule.numbers] * float(stamps.time_base)
    assert times == pytest.approx([float(time) for time in own], abs=0.001)


def test_other_frames_have_the_times_of_the_file(caplog):
    own = [Fraction(n, 25) for n in range(16)]
    with caplog.at_level(logging.WARNING):
        schedule = schedule_of(Attachment(size=(48, 64), timestamps=EXACT), own, Fraction(0), "film.mkv")
    assert schedule.timestamps is None
    assert "film.mkv was edited after it was compressed" in caplog.text


def test_a_file_cut_by_copying_packets_stays_in_sync(flash_clip, flashes_and_beeps, tmp_path):
    source = flash_clip(tmp_path / "source.mp4", seconds=3, flashes=(0.4, 1.4, 2.4))
    exact = Timestamps(time_base=BASE, first=0, steps=(512,) * 75)
    packed = Attachment(size=(48, 64), timestamps=exact).pack()
    media.remux(source, tmp_path / "whole.mkv", packed, media.probe(source), copy_from=source)
    cut(tmp_path / "whole.mkv", tmp_path / "cut.mkv", 1.1)
    for name, expected in (("whole.mkv", [0.4, 1.4, 2.4]), ("cut.mkv", [0.4 - 0.067, 1.4 - 0.067])):
        decompress(tmp_path / name, tmp_path / "out.mp4")
        flashes, beeps = flashes_and_beeps(tmp_path / "out.mp4")
        assert beeps == pytest.approx(flashes, abs=0.02)
        assert np.diff(flashes) == pytest.approx(np.diff(expected), abs=0.0001)


def cut(source, target, start):
    """Copies the packets from the first key frame at or after `start` on, and all sound from `start` on."""
    with av.open(str(source)) as inside, av.open(str(target), "w") as outside:
        streams = {}
        for stream in inside.streams:
            if stream.type == "attachment":
                outside.add_attachment(stream.name, stream.mimetype, stream.data)
            else:
                streams[stream.index] = outside.add_stream_from_template(stream, opaque=True)
        begun = False
        for packet in inside.demux(*(inside.streams[index] for index in streams)):
            if not packet.size or packet.pts is None or packet.pts * packet.time_base < start:
                continue
            begun = begun or (packet.is_keyframe and packet.stream.type == "video")
            if packet.stream.type == "video" and not begun:
                continue
            shift = round(start / packet.time_base)
            packet.pts -= shift
            packet.dts = packet.pts if packet.dts is None else packet.dts - shift
            packet.stream = streams[packet.stream.index]
            outside.mux(packet)
