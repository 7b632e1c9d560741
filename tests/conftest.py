"""Shapes are checked while tests run, and arrays of different rank are never broadcast silently."""

import logging
import os

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")

from jaxtyping import install_import_hook

install_import_hook("vdiff_jax", "beartype.beartype")


@pytest.fixture(autouse=True)
def _no_log_to_what_is_closed():
    """The commands, called as functions, log to the stderr of that moment, which pytest takes away again."""
    handlers = logging.root.handlers
    handlers[:] = [handler for handler in handlers if not getattr(getattr(handler, "stream", None), "closed", False)]
