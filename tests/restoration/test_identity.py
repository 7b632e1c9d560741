"""What must be the same when a run is resumed."""

import json
from pathlib import Path

from vdiff_jax import __version__
from vdiff_jax.restoration.identity import as_json, run_identity


def test_another_command_or_input_is_another_run(tmp_path):
    path = tmp_path / "a.mkv"
    path.write_bytes(b"one")
    about = run_identity("repair", [path])
    assert about == json.loads(json.dumps(about))
    assert about["version"] == __version__
    assert run_identity("compress", [path]) != about
    path.write_bytes(b"three")
    assert run_identity("repair", [path]) != about


def test_options_become_json():
    assert as_json(Path("a/b")) == "a/b"
    assert [as_json(value) for value in (None, True, 2, 0.5, "x", [1])] == [None, True, 2, 0.5, "x", [1]]
