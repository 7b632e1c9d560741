"""The page's uploads and results, in one temporary folder. They are deleted when their page is closed."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from vdiff_jax import media
from vdiff_jax.errors import InputError, OutputError


class Workspace:
    """A temporary folder with a folder for the last job of each tab of each open page.

    Args:
      root: the folder. Gradio keeps its uploads in it too.
      free: at least this many bytes must be free on the disk before a job begins.
    """

    def __init__(self, root: str | Path, free: int = 500 << 20):
        self.root, self._free = Path(root), free
        self._open: set[str] = set()
        self._folders: dict[tuple[str, str], Path] = {}
        self._uploads: dict[str, set[Path]] = {}

    def opened(self, page: str) -> None:
        """Notes that a browser has opened a page."""
        self._open.add(page)

    def new_folder(self, page: str, tab: str) -> Path:
        """Makes a new folder for the results of a tab's next job, and deletes the results of its last job.

        Raises:
          OutputError: the disk is nearly full.
        """
        check_room(self.root, self._free)
        self._remove(page, tab)
        self._folders[page, tab] = Path(tempfile.mkdtemp(prefix=f"{tab}-", dir=self.root))
        return self._folders[page, tab]

    def _remove(self, page: str, tab: str) -> None:
        if (page, tab) in self._folders:
            shutil.rmtree(self._folders.pop((page, tab)), ignore_errors=True)

    @contextlib.contextmanager
    def passing_folder(self) -> Iterator[Path]:
        """A folder that is removed after the `with` block."""
        with tempfile.TemporaryDirectory(prefix="plan-", dir=self.root) as folder:
            yield Path(folder)

    def received(self, page: str, names: Iterable[str | None]) -> None:
        """Notes which uploads a page uses. Two pages that upload the same content share one file."""
        self._uploads.setdefault(page, set()).update(Path(name) for name in names if name)

    def forget(self, page: str) -> None:
        """Removes everything that only this page uses; after the last page, Gradio's small pictures too."""
        for _, tab in [key for key in self._folders if key[0] == page]:
            self._remove(page, tab)
        others = set().union(*(used for other, used in self._uploads.items() if other != page))
        for upload in self._uploads.pop(page, set()) - others:
            if self.root in upload.parents:
                shutil.rmtree(upload.parent, ignore_errors=True)
        self._open.discard(page)
        if not self._open:
            for path in self.root.iterdir():
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def check_room(folder: Path, needed: int) -> None:
    """Raises OutputError if the disk that holds a folder has less than `needed` bytes left."""
    left = shutil.disk_usage(folder).free
    if left < needed:
        raise OutputError(
            f"the disk is nearly full: {left / 1e6:.0f} MB are free and {needed / 1e6:.0f} MB are needed: free some, "
            "or set TMPDIR to a folder on another disk"
        )


def check_video(name: str | None) -> media.VideoInfo:
    """The properties of an upload.

    Raises:
      InputError: there is no upload, or it is not a video. The message names the file without its folder.
    """
    if not name:
        raise InputError("there is no video yet: drop one, or click to choose it")
    path = Path(name)
    try:
        return media.probe(path)
    except InputError as error:
        raise InputError(str(error).replace(str(path), path.name)) from error
