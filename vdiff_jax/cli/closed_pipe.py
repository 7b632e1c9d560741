"""How a command ends when its output takes no more: `vdiff --help | head -1`, or a full disk behind `>`."""

import errno
import functools
import os
import sys
from collections.abc import Callable

from vdiff_jax.runtime.temporary import is_full

CLOSED_PIPE = 141
"""The exit code when the reader has ended: the one that a shell reports for SIGPIPE."""


def ends_with_its_reader(
    main: Callable[[list[str] | None], int],
) -> Callable[[list[str] | None], int]:
    """Makes a command's `main` end once stdout or stderr cannot be written.

    Where their reader has ended, there is no message, and the exit code is `CLOSED_PIPE`. Where the disk is full, there
    is one line, and the exit code is 1.
    """

    @functools.wraps(main)
    def run(arguments: list[str] | None = None) -> int:
        try:
            try:
                return main(arguments)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except Exception as error:
            if is_closed_pipe(error):
                _discard_output()
                return CLOSED_PIPE
            if not is_full(error):
                raise
            print(f"error: the output can't be written: {os.strerror(errno.ENOSPC)}", file=sys.stderr)
            _discard_output()
            return 1

    return run


def is_closed_pipe(error: Exception) -> bool:
    """Whether an error says that the reader of an output has ended."""
    return isinstance(error, BrokenPipeError) or isinstance(error.__cause__, BrokenPipeError)


def _discard_output() -> None:
    """Sends what is not yet written to nowhere: Python would fail once more on it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
