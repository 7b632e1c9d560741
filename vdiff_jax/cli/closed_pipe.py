"""How a command ends when the program that reads its output has ended, as in `vdiff --help | head -1`."""

import functools
import os
import sys
from collections.abc import Callable

CLOSED_PIPE = 141
"""The exit code then: the one that a shell reports for SIGPIPE."""


def ends_with_its_reader(
    main: Callable[[list[str] | None], int],
) -> Callable[[list[str] | None], int]:
    """Makes a command's `main` end without a message, with `CLOSED_PIPE`, once stdout or stderr is closed."""

    @functools.wraps(main)
    def run(arguments: list[str] | None = None) -> int:
        try:
            try:
                return main(arguments)
            finally:
                if sys.stdout is not None:
                    sys.stdout.flush()
        except Exception as error:
            if not is_closed_pipe(error):
                raise
            _discard_output()
            return CLOSED_PIPE

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
