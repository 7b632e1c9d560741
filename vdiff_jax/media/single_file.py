"""An output that can only be one file, such as a report: its checks, and writing it whole."""

import os
from collections.abc import Iterable

from vdiff_jax.errors import OutputError
from vdiff_jax.media.sources import Source
from vdiff_jax.media.target import PendingFile, check_target, is_folder_target, same_file


def check_file(target: Source, inputs: Iterable[Source | None] = (), *, such_as: str) -> None:
    """Checks the path of an output that can only be a file, before work begins.

    Args:
        target: the path.
        inputs: as for `check_target`.
        such_as: an example of a name, for messages.

    Raises:
        OutputError: as for `check_target`; also if it is a folder, or stdout.
    """
    name = os.fspath(target)
    if name == "-" or is_folder_target(name):
        what = "stdout is no file" if name == "-" else f"{name} is a folder"
        raise OutputError(f"{what}: pass the name of a file, such as {such_as}")
    check_target(name, inputs)


def check_report(report: Source, files: Iterable[Source | None]) -> None:
    """Checks the path of a report before work begins.

    Args:
        report: the path.
        files: the run's inputs and output, which the report must not replace.

    Raises:
        OutputError: as for `check_file`; also if it is one of `files`.
    """
    name = os.fspath(report)
    check_file(name, such_as="report.json")
    for file in files:
        if file is not None and same_file(name, os.fspath(file)):
            raise OutputError(f"the report {name} is also an input or the output: pass another name")


def write_text(target: Source, text: str) -> None:
    """Writes a text file, such as a report, which gets its name only when it is complete.

    Raises:
        OutputError: it can't be written.
    """
    write_bytes(target, text.encode())


def write_bytes(target: Source, content: bytes) -> None:
    """Writes a file, which gets its name only when it is complete.

    Raises:
        OutputError: it can't be written.
    """
    pending = PendingFile(target)
    try:
        pending.path.write_bytes(content)
    except OSError as error:
        pending.remove()
        raise OutputError(f"{target} can't be written: {error.strerror}") from error
    pending.commit()
