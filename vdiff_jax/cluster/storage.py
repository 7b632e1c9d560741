"""Lists, reads and writes videos in folders and buckets, for the machines of a cluster."""

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vdiff_jax import media
from vdiff_jax.errors import InputError, OutputError, VdiffError
from vdiff_jax.runtime.files import AnyPath, any_path, fetched, is_remote
from vdiff_jax.runtime.temporary import temporary_folder


@contextlib.contextmanager
def named(place: object, kind: type[VdiffError], deed: str) -> Iterator[None]:
    """Turns any error in its `with` block into an error of this package, in one line that names the place.

    Args:
      place: the file or folder.
      kind: the error to raise.
      deed: what was tried, as a participle: "read", "written" or "deleted".
    """
    try:
        yield
    except VdiffError:
        raise
    except (ImportError, NotImplementedError) as error:
        raise kind(f"{place} can't be {deed} ({error}): pip install 'vdiff_jax[cloud]'") from error
    except Exception as error:  # each store raises its own kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        raise kind(f"{place} can't be {deed} ({reason[:200]}): check its name and your permissions") from error


def list_videos(source: str) -> list[str] | None:
    """The videos of a folder, a glob or a folder in a bucket; `None` for one video.

    Raises:
      InputError: the place does not exist, has no videos, or can't be read.
    """
    folder = any_path(source)
    if not is_remote(folder):
        found = media.list_videos(source)
        return None if found is None else [str(path) for path in found]
    with named(source, InputError, "read"):
        if not folder.exists():
            raise InputError(f"no such file or folder: {source}")
        if not folder.is_dir():
            return None
        videos = [str(path) for path in folder.iterdir() if media.is_video_name(path.name)]
    if not videos:
        raise InputError(f"{source} holds no videos")
    return sorted(videos, key=media.natural_key)


def exists(place: str) -> bool:
    """Whether a file exists.

    Raises:
      OutputError: the bucket can't be read.
    """
    with named(place, OutputError, "read"):
        return any_path(place).exists()


def beside(folder: str, name: str) -> str:
    """The path or URL of a file in a folder."""
    return f"{folder.rstrip('/')}/{name}" if is_remote(any_path(folder)) else os.path.join(folder, name)


def copy_file(source: AnyPath, target: AnyPath) -> None:
    """Copies a file from or to a bucket. In a bucket it appears when it is complete."""
    with source.open("rb") as read, target.open("wb") as written:
        shutil.copyfileobj(read, written)


def check_writable(place: str) -> None:
    """Makes a folder for results, and checks that files can be written there.

    Raises:
      OutputError: the folder can't be made or written to, or is a file.
    """
    folder = any_path(place)
    with named(place, OutputError, "written"):
        if not is_remote(folder) and folder.is_file():
            raise OutputError(f"{place} is a file: pass a folder for the results of several videos")
        folder.mkdir(parents=True, exist_ok=True)
        if is_remote(folder):  # a bucket has no folders: only a file shows whether it can be written
            probe = folder / ".vdiff_jax"
            probe.write_bytes(b"")
            probe.unlink()


@contextlib.contextmanager
def read_from(place: str) -> Iterator[Path]:
    """Yields a local path of the video. A video in a bucket is copied, and the copy is deleted afterwards.

    Raises:
      InputError: it can't be read, or is not on this machine.
    """
    path = any_path(place)
    if is_remote(path):
        with contextlib.ExitStack() as stack:
            with named(place, InputError, "read"):
                copy = stack.enter_context(fetched(path))
            yield copy
    elif path.exists():
        yield Path(place)
    else:
        raise InputError(f"{place} is not on the worker {platform.node()}: pass a bucket, or a folder that all share")


@contextlib.contextmanager
def written_to(place: str) -> Iterator[str]:
    """Yields a local path to write a result to. If `place` is in a bucket, the result is copied there at the end.

    Raises:
      OutputError: it can't be written.
    """
    path = any_path(place)
    if not is_remote(path):
        if not Path(place).resolve().parent.is_dir():
            folder = Path(place).parent
            raise OutputError(
                f"the folder {folder} is not on the worker {platform.node()}: pass a bucket, or a folder that all share"
            )
        yield place
        return
    with temporary_folder() as folder:
        local = Path(folder) / PurePosixPath(place).name
        yield str(local)
        with named(place, OutputError, "written"):
            copy_file(local, path)
