"""The coordinator: every video is finished, whatever workers die; a failure costs its video alone."""

import numpy as np
import pytest

from vdiff_jax.cluster.coordinator import ATTEMPTS, Coordinator, Died
from vdiff_jax.cluster.parts import Parts
from vdiff_jax.cluster.worker import Answer, Begun, Video
from vdiff_jax.errors import InputError, OutputError, ResumeError
from vdiff_jax.restoration.in_segments import Film
from vdiff_jax.restoration.segment import Segment

FILM = Film(None, None, None, None, (Segment(),) * 3, 30, "three segments")


class Scripted:
    """Two workers that answer by a script, and die where it says so; a dead worker is replaced."""

    def __init__(self, script):
        self.script, self.calls = script, []
        self._workers, self._assignments, self._count = ["a", "b"], {}, 2

    def idle(self):
        return [worker for worker in self._workers if worker not in self._assignments]

    def submit(self, worker, method, video, *arguments):
        assert worker in self.idle()
        self.calls.append((method, video.source, *arguments[1:]))
        self._assignments[worker] = self.script(method, video.source, *arguments)

    def finished(self, seconds):
        worker = next(iter(self._assignments))
        answer = self._assignments.pop(worker)
        if isinstance(answer, Died):
            self._workers.remove(worker)
            self._workers.append(f"worker {self._count}")
            self._count += 1
        return [(worker, answer if isinstance(answer, Died) else Answer(answer, [f"{worker} warns"]))]

    def running_frames(self):
        return 5 * len(self._assignments)


def run(script, *names):
    pool, results, frames = Scripted(script), {}, []
    videos = [Video(name, f"{name}.out", {}) for name in names]

    def done(video, result):
        assert names[video] not in results
        results[names[video]] = result

    Coordinator(pool, videos, done=done, progress=frames.append).run()
    return pool.calls, results, frames


def test_a_film_is_joined_once_all_its_segments_are_finished():
    def script(method, name, *arguments):
        if name == "short":
            return {"frames": 8}
        return {"begin": Begun(FILM, (1,)), "segment": 10, "join": {"frames": 30}}[method]

    calls, results, frames = run(script, "film", "short")
    assert sorted(calls[2:]) == [("join", "film"), ("segment", "film", 0), ("segment", "film", 2)]
    assert calls[-1] == ("join", "film")
    assert results["film"]["frames"] == 30
    assert results["film"]["seconds"]["total"] >= 0
    assert results["short"]["frames"] == 8
    assert max(frames) >= frames[-1] == 28  # the segment of an earlier run is not counted


def test_a_worker_that_dies_costs_its_own_task_alone():
    deaths = ["begin", "segment", "join"]

    def script(method, name, *arguments):
        if method in deaths:
            deaths.remove(method)
            return Died("gone")
        if method == "begin":
            assert arguments == (True,)  # this is the second attempt
        return {"begin": Begun(FILM, ()), "segment": 10, "join": {"frames": 30}}[method]

    calls, results, _ = run(script, "film")
    methods = [call[0] for call in calls]
    assert (methods.count("begin"), methods.count("segment"), methods.count("join")) == (2, 4, 2)
    assert calls[1][0] == "begin"
    assert results["film"]["frames"] == 30


def test_a_task_that_kills_its_workers_fails_and_the_others_go_on():
    def script(method, name, *arguments):
        return Died("out of memory") if name == "bad" else {"frames": 3}

    calls, results, _ = run(script, "bad", "good", "better")
    assert "out of memory" in str(results["bad"])
    assert [call[1] for call in calls].count("bad") == ATTEMPTS
    assert results["good"]["frames"] == results["better"]["frames"] == 3


def test_a_segment_that_fails_ends_its_film_once():
    def script(method, name, *arguments):
        if method == "segment" and arguments[1] in (0, 1):
            return InputError(f"segment {arguments[1]}")
        return {"begin": Begun(FILM, ()), "segment": 10}[method]

    calls, results, _ = run(script, "film")
    assert str(results["film"]) == "segment 0"
    assert len([call for call in calls if call[0] == "segment"]) == 2


def test_parts_go_on_where_the_same_job_was_stopped(tmp_path):
    parts = Parts(str(tmp_path / "film.mkv"))
    parts.begin({"input": "film", "sigma": 5}, resume=False)
    parts.put(1, 12, [np.arange(3)])
    with pytest.raises(OutputError, match="unfinished work of an earlier run: pass --resume"):
        Parts(str(tmp_path / "film.mkv")).begin({"input": "film", "sigma": 5}, resume=False)
    with pytest.raises(ResumeError, match="sigma has changed"):
        Parts(str(tmp_path / "film.mkv")).begin({"input": "film", "sigma": 6}, resume=True)
    parts.begin({"input": "film", "sigma": 5}, resume=True)
    assert list(parts.finished()) == [1]
    parts.put(0, 9, [np.arange(2)])
    assert [count for _, count in parts.fetch(tmp_path)] == [9, 12]
    parts.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_other_files_is_never_taken_for_parts(tmp_path):
    (tmp_path / "film.mkv.resume").mkdir()
    (tmp_path / "film.mkv.resume" / "notes.txt").write_text("mine")
    for resume in (False, True):
        with pytest.raises(OutputError, match="is not unfinished work of vdiff: rename it"):
            Parts(str(tmp_path / "film.mkv")).begin({}, resume=resume)
    assert [path.name for path in (tmp_path / "film.mkv.resume").iterdir()] == ["notes.txt"]
