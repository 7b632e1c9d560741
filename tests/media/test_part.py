"""The packets of a part of a file: sound from its start on, and subtitles that are on the screen during it."""

from fractions import Fraction

import av
import pytest

from vdiff_jax.media.part import STOP_MARGIN, packet_time, packets_of_part


@pytest.fixture
def packets(tmp_path):
    """Makes packets of a stream of each kind, in milliseconds."""
    with av.open(str(tmp_path / "empty.mkv"), "w") as output:
        streams = {"sound": output.add_stream("flac", rate=48000), "text": output.add_stream("ass")}

        def make(*listed):
            for kind, time, duration in listed:
                packet = av.Packet(b"x")
                packet.stream, packet.time_base = streams[kind], Fraction(1, 1000)
                packet.pts = packet.dts = time
                packet.duration = duration
                yield packet

        yield make


def times(packets):
    return [(packet.stream.type[0], packet.pts, packet.duration) for packet in packets]


def test_sound_begins_with_the_part_and_ends_before_its_stop(packets):
    sound = [("sound", time, 20) for time in range(0, 200, 20)]
    found = packets_of_part(packets(*sound), Fraction(1, 20), Fraction(3, 20), cut=True)
    assert [packet_time(packet) for packet in found] == [Fraction(time, 1000) for time in (60, 80, 100, 120, 140)]


def test_sound_before_a_whole_file_is_kept(packets):
    found = packets_of_part(packets(("sound", -20, 20), ("sound", 0, 20)), Fraction(0), None, cut=False)
    assert times(found) == [("a", -20, 20), ("a", 0, 20)]


def test_subtitles_are_shortened_to_the_part(packets):
    texts = [("text", 0, 900), ("text", 500, 1000), ("text", 1800, 900), ("text", 2500, 100)]
    found = packets_of_part(packets(*texts), Fraction(1), Fraction(2), cut=True)
    assert times(found) == [("s", 1000, 500), ("s", 1800, 200)]


def test_a_picture_subtitle_lasts_until_the_next_one(packets):
    """Picture subtitles have no duration: the latest before the part is on the screen when it begins."""
    texts = [("text", 100, 0), ("text", 600, 0), ("sound", 1000, 20), ("text", 1500, 0)]
    found = packets_of_part(packets(*texts), Fraction(1), Fraction(2), cut=True)
    assert times(found) == [("s", 1000, 0), ("a", 1000, 20), ("s", 1500, 0)]


def test_an_unknown_duration_is_none(packets):
    texts = [("text", 100, 4_294_967_295), ("text", 600, 4_294_967_295), ("text", 1500, 4_294_967_295)]
    found = packets_of_part(packets(*texts), Fraction(1), Fraction(2), cut=True)
    assert times(found) == [("s", 1000, 1000), ("s", 1500, 500)]


def test_a_picture_subtitle_is_kept_where_nothing_follows_it(packets):
    found = packets_of_part(packets(("text", 100, 0), ("text", 600, 0)), Fraction(1), Fraction(2), cut=True)
    assert times(found) == [("s", 1000, 0)]


def test_reading_stops_some_seconds_after_the_part(packets):
    read = []

    def noted(listed):
        for packet in listed:
            read.append(packet.pts)
            yield packet

    last = 1000 * (1 + STOP_MARGIN)
    sound = [("sound", time, 20) for time in (0, 999, 1000, last - 1, last, last + 1000)]
    found = packets_of_part(noted(packets(*sound)), Fraction(0), Fraction(1), cut=True)
    assert times(found) == [("a", 0, 20), ("a", 999, 20)]
    assert read[-1] == last


def test_damage_ends_the_part(packets):
    def damaged():
        yield from packets(("sound", 0, 20))
        raise av.InvalidDataError(1, "damaged")

    assert times(packets_of_part(damaged(), Fraction(0), None, cut=True)) == [("a", 0, 20)]
