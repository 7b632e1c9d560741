"""Whether frames are matched by number or by time."""

from fractions import Fraction

import pytest

from vdiff_jax.media import rates_in_time

RATE = Fraction(25)


@pytest.fixture
def paths(make_clip):
    """The names of a clip of 8 frames, of the same with two of them left out, and of one that ends earlier."""
    gaps = make_clip("gaps.mkv", pts=(0, 1, 2, 4, 5, 7)).path
    return [str(path) for path in (make_clip("a.mkv").path, gaps, make_clip("short.mkv", count=6).path)]


def test_gaps_are_matched_by_time_and_ends_by_number(paths):
    whole, gaps, short = paths
    assert rates_in_time((whole, gaps), (RATE, RATE)) == (RATE, pytest.approx(5 / 0.28))
    assert rates_in_time((gaps, short), (RATE, RATE)) is None  # equally many frames
    assert rates_in_time((whole, short), (RATE, RATE)) is None
    assert rates_in_time((whole, None), (RATE, RATE)) is None
    assert rates_in_time((whole, None), (RATE, 2 * RATE)) == (RATE, 2 * RATE)


def test_one_frame_left_out_of_many_is_a_gap(make_clip):
    whole = str(make_clip("a.mkv", count=60).path)
    gap = str(make_clip("gap.mkv", count=60, pts=(*range(30), *range(31, 60))).path)
    assert rates_in_time((whole, gap), (RATE, RATE)) == (RATE, pytest.approx(25 * 58 / 59))


def test_times_count_from_the_start_of_the_file_on_request(make_clip):
    """The sound starts at 0, the picture at 0.2 s."""
    whole, late = (
        str(make_clip(name, count=8, pts=pts, codec="libx264", audio="aac").path)
        for name, pts in (("a.mkv", range(8)), ("late.mkv", range(5, 8)))
    )
    assert rates_in_time((whole, late), (RATE, RATE)) is None
    assert rates_in_time((whole, late), (RATE, RATE), starts=True) == (RATE, RATE)
