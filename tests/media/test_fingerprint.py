"""What tells that a file is no longer the same."""

import os

import numpy as np
import pytest
from PIL import Image

from vdiff_jax.errors import InputError
from vdiff_jax.media.fingerprint import fingerprint


def test_a_file_with_other_bytes_size_or_time_is_another(tmp_path):
    path = tmp_path / "a.mkv"
    path.write_bytes(b"one")
    os.utime(path, (5, 5))
    before = fingerprint(path)
    assert fingerprint(path) == before
    path.write_bytes(b"two")
    os.utime(path, (5, 5))
    assert fingerprint(path) != before
    path.write_bytes(b"one")
    os.utime(path, (6, 6))
    assert fingerprint(path) != before


def test_one_changed_picture_changes_a_folder(tmp_path):
    for name in "ab":
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / f"{name}.png")
    before = fingerprint(tmp_path)
    assert before is not None
    assert before["pictures"] == 2
    os.utime(tmp_path / "b.png", (5, 5))
    assert fingerprint(tmp_path) != before


def test_stdin_and_pipes_have_none(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert fingerprint("-") is None
    assert fingerprint(tmp_path / "pipe") is None
    with pytest.raises(InputError, match="no such file"):
        fingerprint(tmp_path / "missing.mkv")
