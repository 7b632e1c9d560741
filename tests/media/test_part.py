"""The packets of a part of a file; `test_tracks.py` has subtitles."""

from fractions import Fraction

import av
import pytest

from vdiff_jax.media.part import packet_time, packets_of_part


@pytest.fixture
def times(tmp_path, flash_clip):
    """A function from a part to its sound packets' times, of a sound of 0.8 seconds that starts at 1 second."""
    path = flash_clip(tmp_path / "in.mkv", sound="pcm_s16le", clock=1)

    def measure(start, stop, *, cut):
        with av.open(str(path)) as container:
            packets = container.demux(container.streams.audio[0])
            return [packet_time(packet) for packet in packets_of_part(packets, start, stop, cut=cut)]

    return measure


def test_sound_from_start_to_stop_is_kept(times):
    whole = times(Fraction(1), None, cut=True)
    assert whole[0] == 1
    start, stop = Fraction(5, 4), Fraction(3, 2)
    assert times(start, stop, cut=True) == [time for time in whole if start <= time < stop]


def test_sound_before_the_start_is_kept_where_nothing_is_cut(times):
    assert times(Fraction(5, 4), None, cut=False) == times(Fraction(1), None, cut=True)
