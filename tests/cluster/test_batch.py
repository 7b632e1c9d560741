"""The command line (cli/on_cluster.py) on a cluster whose one worker runs in this process."""

import json
import shutil

import pytest

from vdiff_jax import infer
from vdiff_jax.cluster import batch
from vdiff_jax.cluster.worker import Worker


class Inline:
    """A pool of one worker, which works while it is given an assignment."""

    def __init__(self, address):
        self._worker, self._answers = Worker(), []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def idle(self):
        return [] if self._answers else ["worker"]

    def submit(self, worker, method, *arguments):
        self._answers.append((worker, getattr(self._worker, method)(*arguments)))

    def finished(self, seconds):
        answers, self._answers = self._answers, []
        return answers

    def running_frames(self):
        return 0


@pytest.fixture
def folder(tmp_path, film, monkeypatch):
    monkeypatch.setattr(batch, "RayPool", Inline)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    shutil.copy(film / "film.mkv", tmp_path / "in" / "good.mkv")
    (tmp_path / "in" / "broken.mkv").write_text("no video")
    return tmp_path


def test_a_batch_goes_on_after_a_failure_and_lists_it_at_the_end(folder, capsys):
    words = ["repair", "in", "-o", "out", "--task", "denoise", "--sigma", "0", "--cluster", "--report", "report.json"]
    assert infer.main(words) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("error: broken.mkv: ")
    assert any(line.startswith("2 of 2: ") and "good.mkv" in line for line in lines)
    assert [path.name for path in (folder / "out").iterdir()] == ["good.mkv"]
    report = json.loads((folder / "report.json").read_text())
    assert (list(report["files"]), list(report["failures"])) == (["good.mkv"], ["broken.mkv"])
    (folder / "in" / "broken.mkv").unlink()
    capsys.readouterr()
    assert infer.main([*words[:-2], "-n"]) == 0  # nothing is left to do


def test_one_video_gives_its_report_or_its_error(folder, capsys):
    words = ["--task", "denoise", "--sigma", "0", "--cluster", "--quiet"]
    assert infer.main(["repair", "in/good.mkv", "-o", "out.mkv", *words]) == 0
    assert infer.main(["repair", "in/broken.mkv", "-o", "out2.mkv", *words]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert infer.main(["repair", "in/good.mkv", "-o", "out.mkv", "-n", *words]) == 1
    assert "exists and is kept" in capsys.readouterr().err
