"""Folders of data that is kept between runs."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder for cached data: $XDG_CACHE_HOME/vdiff_jax, or ~/.cache/vdiff_jax."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vdiff_jax"


def use_compilation_cache() -> None:
    """Keeps compiled programs between runs, unless the user has set JAX's cache. Call it before importing JAX."""
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_folder() / "compiled"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "1")
