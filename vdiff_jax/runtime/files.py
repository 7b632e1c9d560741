"""Files in local folders and in cloud buckets."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from etils import epath

from vdiff_jax.errors import DataError, OptionError
from vdiff_jax.runtime.temporary import temporary_folder

AnyPath: TypeAlias = Path | epath.Path


def any_path(name: str | os.PathLike) -> AnyPath:
    """The path of a local file or, for s3://bucket/folder and gs://bucket/folder, of one in a bucket.

    Raises:
      OptionError: another kind of address.
    """
    text = os.fspath(name)
    if "://" not in text:
        return Path(text)
    try:
        return epath.Path(text)
    except KeyError as error:
        kind = text.partition("://")[0]
        raise OptionError(
            f"{text}: no files are read at {kind}:// : pass a folder, or a bucket as s3:// or gs://"
        ) from error


def is_remote(path: AnyPath) -> bool:
    """Whether a path lies in a bucket."""
    return not isinstance(path, Path)


def list_files(folder: AnyPath) -> list[AnyPath]:
    """All files in a folder and its subfolders, sorted; for the path of a file, that file.

    Raises:
      DataError: no such folder or file, or the package that reads such buckets is not installed.
    """
    try:
        if not folder.exists():
            raise DataError(f"{folder}: no such folder of training data")
        return sorted(_under(folder)) if folder.is_dir() else [folder]
    except (ImportError, NotImplementedError) as error:
        raise DataError(f"{folder} cannot be read ({error}): pip install 'vdiff_jax[cloud]'") from error


def _under(folder: AnyPath) -> Iterator[AnyPath]:
    for path in folder.iterdir():
        if path.is_dir():
            yield from _under(path)
        else:
            yield path


def file_version(path: AnyPath) -> list[str | int]:
    """The path, size and time of a file: another value means another file or changed content."""
    if is_remote(path):
        stat = path.stat()
        return [str(path), stat.length, int(stat.mtime)]
    stat = path.stat()
    return [str(path.resolve()), stat.st_size, stat.st_mtime_ns]


@contextlib.contextmanager
def fetched(path: AnyPath) -> Iterator[Path]:
    """The file on the local disk; a file from a bucket is copied, and the copy removed at the end of the context."""
    if not is_remote(path):
        yield path
        return
    with temporary_folder() as folder:
        copy = Path(folder) / path.name
        with path.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(source, target)
        yield copy
