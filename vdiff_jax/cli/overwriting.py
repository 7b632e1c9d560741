"""Decides whether an existing output file is replaced or kept, or asks the user."""

import sys
from pathlib import Path

from vdiff_jax.errors import OutputError


def check_overwriting(target: str | Path, *, overwrite: bool, keep: bool) -> None:
    """Asks before a file is replaced, if there is a terminal to ask on. Without one it is replaced.

    Args:
      target: the output.
      overwrite: replaces it without asking.
      keep: never replaces it.

    Raises:
      OutputError: the file exists and is to be kept.
    """
    if overwrite or str(target) == "-" or not Path(target).is_file():
        return
    if keep:
        raise OutputError(f"{target} exists and is kept: leave out -n, or pass another name")
    if sys.stdin.isatty() and sys.stderr.isatty():
        print(f"{target} exists. Replace it? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise OutputError(f"{target} exists and is kept: pass -y to replace it, or another name")
