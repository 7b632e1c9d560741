"""Shapes are checked while tests run, and arrays of different rank are never broadcast silently."""

import atexit
import logging
import os
import shutil
import tempfile

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # what one test has compiled, in this process or its own
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="vdiff_jax-tests-")
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")

from jaxtyping import install_import_hook

install_import_hook("vdiff_jax", "beartype.beartype")


@pytest.fixture(autouse=True)
def _no_log_to_what_is_closed():
    """The commands, called as functions, log to the stderr of that moment, which pytest takes away again."""
    handlers = logging.root.handlers
    handlers[:] = [handler for handler in handlers if not getattr(getattr(handler, "stream", None), "closed", False)]
