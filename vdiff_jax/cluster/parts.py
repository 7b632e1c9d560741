"""The finished segments of a film, kept beside its output until they are joined."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from etils import epath

from vdiff_jax.cluster.storage import copy_file, named
from vdiff_jax.errors import OutputError, ResumeError
from vdiff_jax.runtime.array_files import write_arrays
from vdiff_jax.runtime.checkpoint_files import ABOUT, is_foreign
from vdiff_jax.runtime.checkpoints import checkpoint_folder
from vdiff_jax.runtime.files import any_path, is_remote
from vdiff_jax.runtime.temporary import temporary_folder


class Parts:
    """The folder, local or in a bucket, that holds the encoded packets of a film's finished segments.

    Args:
      target: the film's output. The folder's name is the output's name plus `.resume`.
    """

    def __init__(self, target: str):
        self._folder = epath.Path(f"{target}.resume" if is_remote(any_path(target)) else checkpoint_folder(target))

    def begin(self, about: dict[str, Any], *, resume: bool) -> None:
        """Makes the folder.

        Args:
          about: what identifies the run, as JSON.
          resume: keeps the segments that an earlier run with the same `about` has finished.

        Raises:
          OutputError: the folder exists and `resume` is False, or it can't be written.
          ResumeError: the earlier run had another input, option or version.
        """
        file, text = self._folder / ABOUT, json.dumps(about, indent=1)
        with named(self._folder, OutputError, "written"):
            if is_foreign(self._folder):
                raise OutputError(f"{self._folder} is not unfinished work of vdiff: rename it, or pass another output")
            if not file.exists():
                self._folder.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            elif not resume:
                raise OutputError(
                    f"{self._folder} has unfinished work of an earlier run: pass --resume to continue it, or delete it"
                )
            elif file.read_text() != text:
                kept, now = json.loads(file.read_text()), json.loads(text)
                other = ", ".join(name for name in {**now, **kept} if kept.get(name) != now.get(name))
                raise ResumeError(
                    f"{self._folder} can't be resumed, because {other} has changed: repeat the earlier command, or "
                    "delete the folder"
                )

    def finished(self) -> dict[int, str]:
        """The names of the finished segments' files by the segments' numbers."""
        with named(self._folder, OutputError, "read"):
            names = [path.name for path in self._folder.iterdir() if path.suffix == ".npz"]
        return {int(name.split("-")[0]): name for name in names}

    def put(self, number: int, frames: int, packets: Sequence[np.ndarray]) -> None:
        """Writes a finished segment. Its file gets its name when it is complete.

        Args:
          number: of the segment.
          frames: how many frames it has.
          packets: the encoded packets.
        """
        name = f"{number:06d}-{frames}.npz"
        with named(self._folder, OutputError, "written"):
            if not is_remote(any_path(self._folder)):
                write_arrays(Path(os.fspath(self._folder)) / name, packets)
                return
            with temporary_folder() as folder:
                write_arrays(Path(folder) / name, packets)
                copy_file(Path(folder) / name, self._folder / name)

    def fetch(self, folder: Path) -> list[tuple[Path, int]]:
        """The files of all segments in order, each with its number of frames; copied to `folder` if in a bucket."""
        found = [name for _, name in sorted(self.finished().items())]
        if is_remote(any_path(self._folder)):
            with named(self._folder, OutputError, "read"):
                for name in found:
                    copy_file(self._folder / name, folder / name)
        else:
            folder = Path(os.fspath(self._folder))
        return [(folder / name, int(Path(name).stem.split("-")[1])) for name in found]

    def discard(self) -> None:
        """Deletes the folder, after the film is written."""
        with named(self._folder, OutputError, "deleted"):
            self._folder.rmtree()
