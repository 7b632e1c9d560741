"""Errors in one line."""

from vdiff_jax.cli.error_text import one_line, unforeseen


def test_every_error_is_one_line_that_says_what_to_do():
    assert one_line(ValueError("a\n  b")) == "a b"
    assert "pass a smaller scale or size" in unforeseen("repair", MemoryError())
    assert unforeseen("repair", KeyError()).startswith(
        "repair has failed unexpectedly (KeyError): repeat it with --debug"
    )
