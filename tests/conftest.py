"""Shapes are checked while tests run, and arrays of different rank are never broadcast silently."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_NUMPY_RANK_PROMOTION", "raise")

from jaxtyping import install_import_hook

install_import_hook("vdiff_jax", "beartype.beartype")
