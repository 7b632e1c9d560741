"""The progress bar, and how Ctrl-C and SIGTERM end a job."""

import argparse
import sys
import threading
from pathlib import Path

asked_to_end = threading.Event()


def end_now(*signalled: object) -> None:
    """Ends as Ctrl-C does, with the next frame at the latest: JAX swallows what is raised in garbage collections."""
    asked_to_end.set()
    raise KeyboardInterrupt


class progress_bar:  # noqa: N801 a context manager read as a verb
    """A bar with frames a second and the time left, on a terminal's stderr only."""

    def __init__(self, options: argparse.Namespace, name: str):
        from tqdm import tqdm

        from vdiff_jax import media

        quiet = options.quiet or not sys.stderr.isatty()
        total = None if quiet or name == "-" else media.probe(name).frames
        self._bar = tqdm(total=total, unit="frame", desc=Path(name).name, disable=quiet)

    def __enter__(self):
        return self._count

    def _count(self, frames: int) -> None:
        if asked_to_end.is_set():
            raise KeyboardInterrupt
        self._bar.update(frames - self._bar.n)

    def __exit__(self, *exception: object) -> None:
        self._bar.close()
