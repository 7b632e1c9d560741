"""Output paths: checks, and files that get their name only when they are complete."""

import contextlib
import hashlib
import itertools
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from vdiff_jax.errors import OutputError
from vdiff_jax.media.encoders import CONTAINERS
from vdiff_jax.media.sources import Source
from vdiff_jax.runtime.temporary import is_full

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

LONGEST_NAME = 255
"""The bytes that file systems allow for a name."""
_numbers = itertools.count()


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
        if source is not None and same_file(name, os.fspath(source)):
            raise OutputError(f"the output {name} is the input: pass another name")
    path = Path(os.path.realpath(name))  # an output that is a symlink is written through
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise OutputError(f"{name} can't be written: its name is longer than {LONGEST_NAME} bytes, pass a shorter one")
    if not path.parent.is_dir():
        raise OutputError(f"{name} can't be written: there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK | os.X_OK) or (path.is_file() and not os.access(path, os.W_OK)):
        raise OutputError(f"{name} can't be written: no permission")
    if is_folder_target(name) and path.exists():
        if not path.is_dir():
            raise OutputError(f"{name} is a file: remove the slash at the end, or pass another folder")
        if any(path.iterdir()):
            raise OutputError(f"the folder {name} is not empty: pass a new one, or empty it")


def copy_file(source: Source, target: Source) -> None:
    """Copies a file byte by byte; the target gets its name when it is complete.

    Raises:
        OutputError: it can't be written.
    """
    pending = PendingFile(target)
    try:
        shutil.copyfile(source, pending.path)
    except OSError as error:
        pending.remove()
        raise OutputError(f"{target} can't be written: {error.strerror}") from error
    except BaseException:
        pending.remove()
        raise
    pending.commit()


def same_file(target: str, source: str) -> bool:
    if os.path.exists(target) and os.path.exists(source):
        return os.path.samefile(target, source)
    return os.path.abspath(target) == os.path.abspath(source)


def result_names(videos: Sequence[Path]) -> list[str]:
    """The name of each result of a batch: the video's own; with .mkv instead of an ending that can't be written.

    Where that is another result's name, .mkv is appended to the whole name.

    Raises:
        OutputError: two videos have the same name.
    """
    names = {video.name: video for video in reversed(videos)}
    for video in videos:
        if names[video.name] != video:
            raise OutputError(
                f"{names[video.name]} and {video} would get the same result: repair one folder after the other"
            )
    endings = CONTAINERS.keys()
    others = Counter(video.stem for video in videos if video.suffix.lower() not in endings)
    return [
        video.name
        if video.suffix.lower() in endings
        else f"{video.stem}.mkv"
        if others[video.stem] == 1 and f"{video.stem}.mkv" not in names
        else f"{video.name}.mkv"
        for video in videos
    ]


class PendingFile:
    """A file or folder under a short temporary name, in the same folder as its target and with the same ending.

    A target that is a symlink is followed: the file that it points to is replaced, and the link stays. Meanwhile no
    other run can write the same target. What a killed run left of it is deleted.

    Args:
        target: what it becomes.
        folder: it is a folder.
        kept: a folder that exists after `release`, too, so that a later run can continue with it.

    Attributes:
        whole: whether `commit` has kept the whole output, under its name or under another.
    """

    def __init__(self, target: Source, *, folder: bool = False, kept: Path | None = None):
        self.target, self.whole = Path(os.path.realpath(target)), False
        own = f".vdiff.{hashlib.sha256(os.fsencode(self.target.name)).hexdigest()[:8]}"
        self._lock = Lock(self.target.with_name(f"{own}.lock"), target)
        try:
            for left in self.target.parent.glob(f"{own}.*.part*"):
                _delete(left)
            name = f"{own}.{os.getpid()}.{next(_numbers)}.part{Path(target).suffix}"
            self.path = kept or self.target.with_name(name)
            if folder:
                self.path.mkdir(parents=True, exist_ok=kept is not None)
            else:
                self.path.open("wb").close()
        except OSError as error:
            self._lock.release()
            raise OutputError(f"{target} can't be written: {error.strerror}") from error

    def commit(self) -> None:
        """Renames it to its target.

        Raises:
            OutputError: the target can't be replaced; the whole output then gets another name.
        """
        try:
            if self.path.is_dir() and self.target.is_dir():
                self.target.rmdir()
            os.replace(self.path, self.target)
            self.whole = True
        except OSError as error:
            if not self.path.exists():
                raise OutputError(f"{self.target} can't be written: {error.strerror}") from error
            whole, self.whole = self._rescued(), True
            raise OutputError(
                f"{self.target} can't be replaced ({error.strerror}): the whole output is {whole}, rename it yourself"
            ) from error
        finally:
            self._lock.release()

    def remove(self) -> None:
        """Deletes it."""
        _delete(self.path)
        self._lock.release()

    def release(self) -> None:
        """Leaves it as it is, for a later run."""
        self._lock.release()

    def _rescued(self) -> Path:
        """The output under a name that no later run deletes."""
        number = next(n for n in itertools.count(1) if not self._rescue(n).exists())
        try:
            return self.path.rename(self._rescue(number))
        except OSError:
            return self.path

    def _rescue(self, number: int) -> Path:
        return self.target.with_name(f"{self.target.stem[:200]}.whole{number}{self.target.suffix}")


@contextlib.contextmanager
def folder_beside(target: Source) -> Iterator[Path]:
    """A folder for intermediate files in the target's own folder, which has room for the target.

    It is deleted at the end of the context. What a killed run left of it is deleted at the beginning.

    Raises:
        OutputError: another run writes the target, or the disk is full.
    """
    real = Path(os.path.realpath(target))
    folder = real.with_name(f".vdiff.{hashlib.sha256(os.fsencode(real.name)).hexdigest()[:8]}.parts")
    with Lock(folder.with_suffix(".parts-lock"), target):
        _delete(folder)
        try:
            folder.mkdir()
            yield folder
        except OSError as error:
            if not is_full(error):
                raise
            raise OutputError(f"{target} can't be written: {error.strerror or error}") from error
        finally:
            _delete(folder)


class Lock:
    """Keeps all but one run from writing a target. A run that is killed loses it.

    Args:
        path: a file beside the target, deleted by `release`.
        target: the target's name, for messages.

    Raises:
        OutputError: another run has it, or the file can't be made.
    """

    def __init__(self, path: Path, target: Source):
        self._path, self._file = path, None
        while self._file is None:
            try:
                file = path.open("ab")
            except OSError as error:
                raise OutputError(f"{target} can't be written: {error.strerror}") from error
            try:
                _lock(file)
                same = os.path.samestat(os.fstat(file.fileno()), path.stat())
            except BlockingIOError as error:
                file.close()
                raise OutputError(
                    f"{target} is being written by another run: wait for it, or pass another name"
                ) from error
            except FileNotFoundError:  # deleted by the run that had it
                same = False
            if same:
                self._file = file
            else:
                file.close()

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *exception: object) -> None:
        self.release()

    def release(self) -> None:
        """Lets other runs have it."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


def _lock(file: BinaryIO) -> None:
    """Locks an open file. Some network file systems can't: then nothing keeps two runs apart."""
    if fcntl is None:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
