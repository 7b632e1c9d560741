"""The table of tasks. Each task is a module of the same name, imported on first use.

This module imports neither JAX nor NumPy, so that the command line can read the names at once.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vdiff_jax.tasks.task import Task

NAMES = ("denoise", "deblock", "inpaint", "interpolate", "superres", "colorize")


def find(name: str) -> "Task":
    """The task of that name, one of `NAMES` or `trained()`."""
    return importlib.import_module(f"{__name__}.{name}").TASK


def trained() -> list[str]:
    """The names of the tasks that a network is trained for.

    superres4 is superres ×4 alone, for the network of that size; `repair` knows it as superres.
    """
    return [name for name in (*NAMES, "superres4") if find(name).trained]
