"""What is said where the folder for temporary files is full."""

import errno
import os
import tempfile
from pathlib import Path

import pytest

from vdiff_jax.errors import OutputError
from vdiff_jax.runtime.temporary import temporary_folder


def test_a_full_folder_for_temporary_files_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(OutputError, match=rf"{tmp_path}, .* has no room: free some, or set TMPDIR"), temporary_folder():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


def test_other_errors_stay_and_the_folder_is_deleted():
    made = []

    def fail():
        with temporary_folder() as folder:
            made.append(Path(folder))
            (made[0] / "file").write_text("text")
            raise PermissionError

    with pytest.raises(PermissionError):
        fail()
    assert not made[0].exists()
