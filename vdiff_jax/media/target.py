"""Output paths: checks, and files that get their name only when they are complete."""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from vdiff_jax.errors import OutputError
from vdiff_jax.media.sources import Source


def is_folder_target(target: Source) -> bool:
    """Whether an output is a folder of pictures: its name ends in a slash, or it is an existing folder."""
    name = os.fspath(target)
    return name.endswith(("/", os.sep)) or os.path.isdir(name)


def check_target(target: Source, inputs: Iterable[Source | None] = ()) -> None:
    """Checks an output path before work begins.

    Raises:
        OutputError: it is one of the inputs, its folder does not exist or is not writable, or it names a folder that is
            not empty.
    """
    name = os.fspath(target)
    if name == "-":
        return
    for source in inputs:
        if source is not None and _same(name, os.fspath(source)):
            raise OutputError(f"the output {name} is the input: pass another name")
    path = Path(name)
    if not path.parent.is_dir():
        raise OutputError(f"{name} can't be written: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK) or (path.is_file() and not os.access(path, os.W_OK)):
        raise OutputError(f"{name} can't be written: no permission")
    if is_folder_target(name) and path.exists():
        if not path.is_dir():
            raise OutputError(f"{name} is a file: remove the slash at the end, or pass another folder")
        if any(path.iterdir()):
            raise OutputError(f"the folder {name} is not empty: pass a new one, or empty it")


def _same(target: str, source: str) -> bool:
    if os.path.exists(target) and os.path.exists(source):
        return os.path.samefile(target, source)
    return os.path.abspath(target) == os.path.abspath(source)


class PendingFile:
    """A file or folder under a temporary name, in the same folder as its target and with the same ending."""

    def __init__(self, target: Source, *, folder: bool = False):
        self.target = Path(target)
        name = f".{self.target.stem}.{os.getpid()}.part{self.target.suffix}"
        self.path = self.target.with_name(name)
        try:
            if folder:
                self.path.mkdir()
            else:
                self.path.open("wb").close()
        except OSError as error:
            raise OutputError(f"{target} can't be written: {error.strerror}") from error

    def commit(self) -> None:
        """Renames it to its target."""
        try:
            if self.path.is_dir() and self.target.is_dir():
                self.target.rmdir()
            os.replace(self.path, self.target)
        except OSError as error:
            self.remove()
            raise OutputError(f"{self.target} can't be written: {error.strerror}") from error

    def remove(self) -> None:
        """Deletes it."""
        if self.path.is_dir():
            shutil.rmtree(self.path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)
