"""Training files in folders; `memory://` stands in for a bucket."""

import os

import pytest

from vdiff_jax.errors import DataError, OptionError
from vdiff_jax.runtime.files import any_path, fetched, file_version, is_remote, list_files


def test_files_of_all_subfolders_are_listed_in_order(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("c.png", "b/a.png", "a.png"):
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in list_files(tmp_path)] == ["a.png", "b/a.png", "c.png"]
    assert list_files(tmp_path / "c.png") == [tmp_path / "c.png"]
    with pytest.raises(DataError, match="no such folder"):
        list_files(tmp_path / "missing")


def test_buckets_are_told_from_folders():
    assert is_remote(any_path("gs://bucket/folder"))
    assert not is_remote(any_path("folder/gs"))
    with pytest.raises(OptionError, match="no files are read at file:// : pass a folder, or a bucket"):
        any_path("file:///folder")


def test_a_changed_file_has_another_version(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    before = file_version(path)
    assert file_version(path) == before
    os.utime(path, (1, 1))
    assert file_version(path) != before


def test_a_local_file_is_not_copied(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"one")
    with fetched(path) as local:
        assert local == path
    assert path.exists()
