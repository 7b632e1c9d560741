"""Files that may lie in a bucket: found and fetched the same way as local ones."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from etils import epath

from vdiff_jax.errors import DataError

AnyPath: TypeAlias = Path | epath.Path


def any_path(name: str | os.PathLike) -> AnyPath:
    """A path; one such as s3://bucket/folder or gs://bucket/folder is a bucket's."""
    text = os.fspath(name)
    return epath.Path(text) if "://" in text else Path(text)


def is_remote(path: AnyPath) -> bool:
    return not isinstance(path, Path)


def list_files(folder: AnyPath) -> list[AnyPath]:
    """All files in and under a folder, or the one file that it is, sorted.

    Raises:
      DataError: nothing is there, or what reads such buckets is not installed.
    """
    try:
        if not folder.exists():
            raise DataError(f"{folder}: no such folder of training data")
        return sorted(_under(folder)) if folder.is_dir() else [folder]
    except (ImportError, NotImplementedError) as error:
        raise DataError(f"{folder}: can't be read ({error}): pip install 'vdiff_jax[cloud]'") from error


def _under(folder: AnyPath) -> Iterator[AnyPath]:
    for path in folder.iterdir():
        if path.is_dir():
            yield from _under(path)
        else:
            yield path


def identity(path: AnyPath) -> list[str | int]:
    """What changes when the file does."""
    if is_remote(path):
        stat = path.stat()
        return [str(path), stat.length, int(stat.mtime)]
    stat = path.stat()
    return [str(path.resolve()), stat.st_size, stat.st_mtime_ns]


@contextlib.contextmanager
def fetched(path: AnyPath) -> Iterator[Path]:
    """The file on the local disk: itself, or a copy for as long as the context lasts."""
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="vdiff_jax-") as folder:
        copy = Path(folder) / path.name
        with path.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield copy
