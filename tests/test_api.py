"""`vdiff_jax.repair` on paths: a compressed file is decompressed, unless more is asked for."""

import importlib
import subprocess
import sys

import pytest

import vdiff_jax
from vdiff_jax.errors import ClipError


@pytest.fixture
def calls(monkeypatch):
    """Which of the two functions was called, with which options; every file has an attachment."""
    made = []
    importlib.import_module("vdiff_jax.restoration.forecast")  # imported later, it would keep a replaced function
    monkeypatch.setattr("vdiff_jax.media.read_attachment", lambda source: b"attachment")

    def recorder(name):
        def record(*paths, **options):
            made.append((name, paths, options))
            return {}

        return record

    monkeypatch.setattr("vdiff_jax.compression.decompress", recorder("decompress"))
    monkeypatch.setattr("vdiff_jax.restoration.pipeline.repair", recorder("repair"))
    return made


def test_a_compressed_file_is_decompressed(calls):
    vdiff_jax.repair("small.mkv", "large.mkv", codec="ffv1")
    ((name, paths, options),) = calls
    assert (name, paths) == ("decompress", ("small.mkv", "large.mkv"))
    assert options["codec"] == "ffv1"


@pytest.mark.parametrize("options", [{"task": "denoise"}, {"sigma": 5}, {"start": 1.0}])
def test_a_compressed_file_is_repaired_where_that_is_asked(calls, options):
    vdiff_jax.repair("small.mkv", "large.mkv", **options)
    ((name, _, passed),) = calls
    assert name == "repair"
    assert options.items() <= passed.items()


def test_any_other_file_is_repaired(calls, monkeypatch):
    monkeypatch.setattr("vdiff_jax.media.read_attachment", lambda source: None)
    vdiff_jax.repair("small.mkv", "large.mkv")
    assert [name for name, *_ in calls] == ["repair"]


def test_a_path_needs_an_output():
    with pytest.raises(ClipError, match="pass output"):
        vdiff_jax.repair("small.mkv")


def test_the_function_is_imported_at_once():
    program = "import sys\nfrom vdiff_jax import repair\nprint(repair.__name__, *sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    name, *modules = run.stdout.split()
    assert name == "repair"
    assert {"jax", "numpy", "cv2", "av"}.isdisjoint(modules)
