"""Which backend runs the network, and what is remembered (restoration/backend.py)."""

import sys

import jax
import pytest

from vdiff_jax.errors import MissingError, OptionError
from vdiff_jax.restoration import backend
from vdiff_jax.runtime.cores import available_cores
from vdiff_jax.weights import load


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """The measurements that were made, whose outcome is that ONNX Runtime is faster; the cache is empty."""
    calls = []

    def measure(network):
        calls.append(network.config)
        return {"jax": 0.2, "onnx": 0.1}

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(backend, "measured_apart", measure)
    return calls


def test_auto_measures_once_for_each_size_of_network_and_each_version(measured, monkeypatch):
    base, fast = load("base"), load("fast")
    assert [backend.backend_for("auto", base, backend.LONG) for _ in range(2)] == ["onnx", "onnx"]
    assert measured == [base.config]
    assert backend.backend_for("auto", fast, backend.LONG) == "onnx"
    assert measured == [base.config, fast.config]
    for damaged in ("[]", '{"backend": "torch"}', "{"):
        [remembered] = backend.cache_folder().rglob(f"{backend._identity(fast)}.json")
        remembered.write_text(damaged)
        measured.clear()
        assert backend.backend_for("auto", fast, backend.LONG) == "onnx"
        assert measured == [fast.config]
    measured[:] = [base.config, fast.config]
    monkeypatch.setattr(backend, "__version__", "another")
    assert backend.backend_for("auto", base, backend.LONG) == "onnx"
    assert measured == [base.config, fast.config, base.config]


def test_auto_takes_jax_for_short_videos_and_where_onnx_runtime_can_not_run(measured, monkeypatch):
    network = load("base")
    assert [backend.backend_for("auto", network, pixels) for pixels in (None, backend.LONG - 1)] == ["jax", "jax"]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnxruntime", None)
        assert backend.backend_for("auto", network, backend.LONG) == "jax"
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert backend.backend_for("auto", network, backend.LONG) == "jax"
    assert measured == []
    with pytest.raises(OptionError, match="runs on gpu here: pass --backend jax"):
        backend.backend_for("onnx", network, None)


def test_what_is_asked_for_is_taken_or_named(measured, monkeypatch):
    network = load("base")
    assert [backend.backend_for(name, network, None) for name in ("jax", "onnx")] == ["jax", "onnx"]
    assert measured == []
    with pytest.raises(OptionError, match="unknown backend torch: pass one of auto, jax, onnx"):
        backend.check_backend("torch")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingError, match="pip install"):
        backend.check_backend("onnx")


def test_both_backends_are_measured_in_another_process(tiny, tmp_path, monkeypatch):
    seconds = backend.measured_apart(load(tiny), (64, 96))
    assert set(seconds) == {"jax", "onnx"}
    assert min(seconds.values()) > 0
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(backend.sys, "executable", str(tmp_path / "missing"))
    assert backend.faster(load(tiny)) == "jax"
    assert not list(tmp_path.rglob("*.json"))
    monkeypatch.setattr(backend, "measured_apart", lambda network: {"jax": 0.2, "onnx": 0.19})
    assert backend.faster(load("fast")) == "jax"


def test_there_is_a_core():
    assert available_cores() >= 1
