"""Errors in one line."""

from vdiff_jax.cli.error_text import one_line
from vdiff_jax.errors import InputError


def test_every_error_is_one_line_that_says_what_to_do():
    assert one_line(InputError("a\n  b"), "repair") == "a b"
    assert "pass a smaller scale or size" in one_line(MemoryError(), "repair")
    assert one_line(KeyError(), "repair").startswith(
        "repair has failed unexpectedly (KeyError): repeat it with --debug"
    )
