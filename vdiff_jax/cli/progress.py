"""The progress bar, and how Ctrl-C and SIGTERM end a job."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

stop_requested = threading.Event()
"""Set by Ctrl-C and SIGTERM. The progress bar checks it at every frame."""


def request_stop(*signal_arguments: object) -> None:
    """Ends a job: raises KeyboardInterrupt here, and again at the next frame.

    The second one is needed because JAX swallows exceptions that are raised during garbage collection.
    """
    stop_requested.set()
    raise KeyboardInterrupt


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[None]:
    """Makes Ctrl-C and SIGTERM call `request_stop` within the block; the former handlers are restored after it."""
    stop_requested.clear()
    former = {number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


class Progress:
    """Shows how far a job is. A call with the number of frames done raises KeyboardInterrupt after `request_stop`."""

    def __init__(self, bar: "tqdm", name: str):
        self._bar, self._name = bar, name

    def __call__(self, frames: int) -> None:
        if stop_requested.is_set():
            raise KeyboardInterrupt
        self._bar.update(frames - self._bar.n)

    def begin(self, stage: str) -> None:
        """Names the stage that begins; frames are counted from 0 again."""
        self._bar.set_description(f"{self._name}, {stage}")
        self._bar.reset()


@contextlib.contextmanager
def progress_bar(name: str, *, quiet: bool) -> Iterator[Progress]:
    """A progress bar with frames per second and the time left, shown only if stderr is a terminal.

    Args:
      name: the input that is processed.
      quiet: show nothing.

    Yields:
      What to call with the number of frames done so far.
    """
    from tqdm import tqdm

    from vdiff_jax import media

    hidden = quiet or not sys.stderr.isatty()
    total = None if hidden or name == "-" else media.probe(name).frames
    with tqdm(total=total, unit="frame", desc=Path(name).name, disable=hidden) as bar:
        yield Progress(bar, Path(name).name)
