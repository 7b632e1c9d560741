"""Buckets: videos are found, read and written there; what can't be done is one line that names the place."""

import shutil

import numpy as np
import pytest

from vdiff_jax.cluster import storage
from vdiff_jax.cluster.parts import Parts
from vdiff_jax.cluster.worker import Video, Worker
from vdiff_jax.errors import InputError, OutputError, VdiffError


@pytest.fixture
def videos(bucket, film):
    """A bucket with two videos, a hidden one and a file that is no video."""
    for name in ("in/film10.mkv", "in/film2.mkv", "in/.hidden.mkv"):
        bucket.pipe(f"/{name}", (film / "film.mkv").read_bytes())
    bucket.pipe("/in/notes.txt", b"no video")
    return bucket


def test_the_videos_of_a_bucket_are_found_in_the_order_of_their_numbers(videos):
    assert storage.list_videos("s3://in") == ["s3://in/film2.mkv", "s3://in/film10.mkv"]
    assert storage.list_videos("s3://in/film2.mkv") is None
    assert storage.beside("s3://out/", "film2.mkv") == "s3://out/film2.mkv"
    with pytest.raises(InputError, match="no such file or folder: s3://nowhere"):
        storage.list_videos("s3://nowhere")


def test_a_worker_reads_from_a_bucket_and_writes_to_one(videos, film):
    worker = Worker()
    answer = worker.begin(Video("s3://in/film2.mkv", "s3://out/film2.mkv", {"sigma": 0, "task": "denoise"}))
    assert answer.result["copied"]
    assert videos.cat("/out/film2.mkv") == (film / "film.mkv").read_bytes()
    assert storage.exists("s3://out/film2.mkv")
    assert not storage.exists("s3://out/film3.mkv")


def test_a_file_in_place_of_the_folder_of_results_is_named(tmp_path):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(OutputError, match=r"a\.mp4 is a file: pass a folder for the results"):
        storage.check_writable(str(tmp_path / "a.mp4"))


def test_a_bucket_without_permission_is_named(videos, monkeypatch):
    storage.check_writable("s3://out")
    assert not videos.exists("/out/.vdiff_jax")
    monkeypatch.setattr(type(videos), "forbidden", True)
    with pytest.raises(OutputError, match=r"s3://out can't be written \(Access Denied\): check its name and your perm"):
        storage.check_writable("s3://out")
    answer = Worker().begin(Video("s3://in/film2.mkv", "s3://out/film2.mkv", {}))
    assert isinstance(answer.result, InputError)
    assert "s3://in/film2.mkv can't be read (Access Denied)" in str(answer.result)


def test_finished_segments_are_kept_in_the_bucket(bucket, tmp_path):
    parts = Parts("s3://out/film2.mkv")
    parts.begin({"sigma": 5}, resume=False)
    parts.put(1, 12, [np.arange(3)])
    parts.put(0, 9, [np.arange(2)])
    Parts("s3://out/film2.mkv").begin({"sigma": 5}, resume=True)
    assert [(path.exists(), count) for path, count in parts.fetch(tmp_path)] == [(True, 9), (True, 12)]
    parts.discard()
    assert not bucket.exists("/out/film2.mkv.resume/run.json")


def test_a_folder_that_a_worker_does_not_see_is_named(tmp_path, film):
    shutil.copy(film / "film.mkv", tmp_path)
    missing = Worker().begin(Video(str(tmp_path / "gone.mkv"), str(tmp_path / "out.mkv"), {}))
    assert "gone.mkv is not on the worker" in str(missing.result)
    nowhere = Worker().begin(Video(str(tmp_path / "film.mkv"), str(tmp_path / "none" / "out.mkv"), {}))
    assert isinstance(nowhere.result, VdiffError)
    assert "pass a bucket, or a folder that all share" in str(nowhere.result)


def test_what_nobody_foresaw_fails_its_video_alone(monkeypatch, film):
    def broken(*arguments):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("vdiff_jax.cluster.worker.read_from", broken)
    answer = Worker().begin(Video(str(film / "film.mkv"), "out.mkv", {}))
    assert "failed unexpectedly on the worker" in str(answer.result)
    assert "ZeroDivisionError: by zero" in str(answer.result)
