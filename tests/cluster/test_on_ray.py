"""On a real Ray cluster of two nodes, one of which is killed while it works; without Ray; and with no cluster there.

`tests/test_portability.py` holds that Ray is imported for a cluster alone.
"""

import json
import subprocess
import sys

import pytest

from vdiff_jax import infer


def test_a_film_whose_node_is_killed_equals_that_of_one_process(tmp_path, film, tiny):
    """In a process of its own: Ray sends classes by value, which those with checked shapes do not survive.

    Its output goes to files: what Ray leaves running for a moment would keep a pipe open.
    """
    words = ["scripts/measure_cluster.py", "kill", film / "film.mkv", "--frames", "8", "--weights", tiny]
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:
        ran = subprocess.run([sys.executable, *words], stdout=out, stderr=err, timeout=300)
    assert ran.returncode == 0, (tmp_path / "err").read_text()
    found = json.loads("{" + (tmp_path / "out").read_text().rpartition("{")[2])  # Ray writes there, too
    assert (found["killed"], found["segments"]) == (True, 4)
    assert found["equal frames"] == found["frames"] == 39
    assert found["left"] == ["joined.mkv", "whole.mkv"]  # no folder of finished segments stays


def repair(capsys, *words):
    assert infer.main(["repair", *map(str, words), "--quiet"]) == 1
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_without_ray_one_line_says_what_to_install(monkeypatch, capsys, tmp_path, film):
    monkeypatch.setitem(sys.modules, "ray", None)
    line = repair(capsys, film / "film.mkv", "-o", tmp_path / "out.mkv", "--cluster")
    assert line == "error: --cluster needs Ray: pip install 'vdiff_jax[cluster]'"


def test_an_address_where_no_cluster_answers_is_named(capsys, tmp_path, film):
    line = repair(capsys, film / "film.mkv", "-o", tmp_path / "out.mkv", "--cluster", "ray://127.0.0.1:1")
    assert line.startswith("error: no cluster answers at ray://127.0.0.1:1 within 15 s (Connection refused)")


@pytest.mark.parametrize(
    ("words", "reason"), [(["--plan"], "leave out --cluster"), (["-o", "-"], "leave out --cluster")]
)
def test_what_a_cluster_does_not_do_is_said(capsys, tmp_path, film, words, reason):
    assert reason in repair(capsys, film / "film.mkv", "-o", tmp_path / "out.mkv", "--cluster", "auto", *words)
