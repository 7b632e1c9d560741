"""The system's folder for temporary files, and what is said where a disk is full."""

import contextlib
import errno
import tempfile
from collections.abc import Iterator

from vdiff_jax.errors import OutputError


def is_full(error: BaseException) -> bool:
    """Whether an error says that there is no space for a file."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def temporary_folder() -> Iterator[str]:
    """A folder in the system's folder for temporary files; deleted at the end of the context.

    Raises:
      OutputError: it has no room.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="vdiff_jax-") as folder:
            yield folder
    except OSError as error:
        if not is_full(error):
            raise
        raise OutputError(
            f"{tempfile.gettempdir()}, the folder for temporary files, has no room: "
            "free some, or set TMPDIR to a folder with more"
        ) from error
