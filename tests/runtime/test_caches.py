"""The folder for cached data, and JAX's cache of compiled programs."""

import os
from pathlib import Path

import pytest

from vdiff_jax.runtime.caches import cache_folder, use_compilation_cache


def test_the_folder_follows_xdg(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "vdiff_jax"
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert cache_folder() == Path.home() / ".cache" / "vdiff_jax"


@pytest.mark.parametrize(("given", "used"), [(None, "{0}/vdiff_jax/compiled"), ("/elsewhere", "/elsewhere"), ("", "")])
def test_the_user_s_own_cache_has_priority(monkeypatch, tmp_path, given, used):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name, value in (("JAX_COMPILATION_CACHE_DIR", given), ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", None)):
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    use_compilation_cache()
    assert os.environ["JAX_COMPILATION_CACHE_DIR"] == used.format(tmp_path)
    assert os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "1"
