"""The progress of a run on the terminal or in a log, and how Ctrl-C and SIGTERM end a run."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from vdiff_jax.runtime.progress import Listener

stop_requested = threading.Event()
"""Set by Ctrl-C and SIGTERM. The progress checks it at every frame."""
_PERIOD = 10.0
"""Seconds between two lines of progress without a terminal."""
_USUAL_SIZE = {"ncols": 80, "nrows": 24}


def request_stop(*signal_arguments: object) -> None:
    """Ends a run: raises KeyboardInterrupt here, and again at the next frame.

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


@contextlib.contextmanager
def progress_bar(name: str, *, quiet: bool, position: str = "", several: bool = False) -> Iterator[Listener]:
    """Frames done, frames per second and the time left: a bar on a terminal, else a line every ten seconds on stderr.

    Args:
      name: the input that is processed.
      quiet: shows nothing.
      position: the place of the input in a batch, such as "file 2 of 3".
      several: the input may be several videos, or in a bucket. The total is then unknown until the run reports it.

    Yields:
      A listener for the run. It raises KeyboardInterrupt after `request_stop`.
    """
    label = f"{position}: {Path(name).name}" if position else Path(name).name
    if quiet:
        yield _Silent()
    elif sys.stderr.isatty():
        with contextlib.closing(_Bar("-" if several else name, label)) as bar:
            yield bar
    else:
        yield _Lines(label)


class _Silent(Listener):
    """Shows nothing."""

    def __call__(self, frames: int) -> None:
        if stop_requested.is_set():
            raise KeyboardInterrupt


class _Bar(_Silent):
    """A bar on a terminal. Its total is the input's number of frames until the run reports the output's."""

    def __init__(self, name: str, label: str):
        from tqdm import tqdm

        from vdiff_jax import media

        total = None if name == "-" else media.probe(name).frames
        self._label = label
        size = {"dynamic_ncols": True} if _columns() else _USUAL_SIZE
        self._bar = tqdm(total=total, unit="frame", desc=label, **size)

    def expect(self, frames: int | None, plan: str) -> None:
        self._bar.write(f"{self._label}: {plan}", file=sys.stderr)
        self._bar.total = frames
        self._bar.refresh()

    def begin(self, stage: str) -> None:
        self._bar.set_description_str(f"{self._label}, {stage}", refresh=False)
        self._bar.initial, self._bar.bar_format = 0, "{desc}"  # until its first frame: some stages count none
        self._bar.reset()

    def __call__(self, frames: int) -> None:
        super().__call__(frames)
        if self._bar.n == 0:  # the first frame waited for the compiler: the estimate begins with it
            self._bar.start_t = self._bar.last_print_t = time.time()
            self._bar.initial, self._bar.bar_format = frames, None
        self._bar.update(frames - self._bar.n)

    def close(self) -> None:
        """Ends the bar."""
        self._bar.close()


def _columns() -> int:
    """The width of the terminal; 0 where it is unknown, as in some containers. The bar would then be empty."""
    with contextlib.suppress(OSError):
        return os.get_terminal_size(sys.stderr.fileno()).columns
    return 0


class _Lines(_Silent):
    """A line every ten seconds."""

    def __init__(self, label: str):
        self._label, self._total = label, None
        self._first: tuple[float, int] | None = None  # when the first frames were done, and how many
        self._next = time.monotonic() + _PERIOD

    def expect(self, frames: int | None, plan: str) -> None:
        self._total = frames
        self._print(plan)

    def begin(self, stage: str) -> None:
        self._label, self._first = f"{self._label.split(', ')[0]}, {stage}", None

    def __call__(self, frames: int) -> None:
        super().__call__(frames)
        now = time.monotonic()
        self._first = self._first or (now, frames)
        if now < self._next:
            return
        self._next = now + _PERIOD
        rate = (frames - self._first[1]) / max(now - self._first[0], 1e-9)
        of = f" of {self._total}" if self._total else ""
        speed = f", {figure(rate)} frames/s" if rate > 0 else ""
        left = f", {clock((self._total - frames) / rate)} left" if self._total and rate > 0 else ""
        self._print(f"{frames}{of} frames{speed}{left}")

    def _print(self, text: str) -> None:
        print(f"{self._label}: {text}", file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    """A time as M:SS or H:MM:SS."""
    minutes, seconds = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def figure(value: float) -> str:
    """A measured number in at least three digits: 0.0712, 7.12, 71,234."""
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"
