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
