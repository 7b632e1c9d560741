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
    with pytest.raises(argparse.ArgumentTypeError, match="high is no number"):
        crf("high")


@pytest.mark.parametrize(
    ("text", "wanted"), [("2GB", 2 << 30), ("500MB", 500 << 20), ("1.5g", 3 << 29), ("4096", 4096)]
)
def test_memory_is_bytes(text, wanted):
    assert values.memory(text) == wanted


@pytest.mark.parametrize("text", ["much", "-2GB", "2XB", ""])
def test_no_size_of_memory_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="use one such as 2GB"):
        values.memory(text)
