"""The values of options as text (`values`)."""

import argparse

import pytest

from vdiff_jax.cli import values


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90.5", 90.5), (".5", 0.5), ("1:30", 90), ("0:01:30.25", 90.25), ("2:00:00", 7200), ("90:00", None)],
)
def test_times_are_seconds_or_a_clock(text, expected):
    if expected is None:
        with pytest.raises(argparse.ArgumentTypeError, match="is not a time"):
            values.seconds(text)
    else:
        assert values.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "abc", "1:60", "-3", "1:2:3:4", "1e3"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="HH:MM:SS"):
        values.seconds(text)


def test_numbers_out_of_range_are_refused_and_whole_ones_are_integers():
    crf = values.within(0, 63)
    assert (crf("18"), crf("18.5")) == (18, 18.5)
    assert isinstance(crf("18"), int)
    for text in ("-1", "64", "nan", "high"):
        with pytest.raises(argparse.ArgumentTypeError, match="from 0 to 63"):
            crf(text)
