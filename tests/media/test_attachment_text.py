"""The attachment in a file's comment."""

import time

import pytest

from vdiff_jax.media.attachment_text import attachment_in, with_attachment, without_attachment


@pytest.mark.parametrize("comment", ["", "holidays 2003"])
@pytest.mark.parametrize("data", [b"", b"a", bytes(range(256))])
def test_the_attachment_comes_back_and_so_does_the_comment(comment, data):
    text = with_attachment(comment, data)
    assert attachment_in({"title": "x", "description": text}) == data
    assert without_attachment(text) == comment


def test_a_file_without_attachment_has_none():
    assert attachment_in({"comment": "holidays 2003"}) is None
    assert without_attachment("holidays 2003") == "holidays 2003"


def test_text_that_was_cut_short_is_damaged_but_no_error():
    text = with_attachment("", bytes(range(256)))
    assert attachment_in({"comment": text[:100]}) != bytes(range(256))
    assert attachment_in({"comment": text[:12]}) is not None


def test_a_long_comment_of_spaces_takes_no_longer_than_other_text():
    spaces = " " * 200_000
    begun = time.process_time()
    assert without_attachment(spaces + "x" + spaces) == spaces + "x" + spaces
    assert attachment_in({"comment": spaces}) is None
    assert time.process_time() - begun < 5  # it was more than 100 s
