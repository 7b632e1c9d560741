"""Threads for decoding and encoding beside the computation, each with a bounded queue."""

import atexit
import contextlib
import queue
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
QUEUE_BYTES = 64 << 20
_END = object()
_LAST_SECONDS = 5
"""At the end of the program, each thread that still runs has this long to stop."""
_RUNNING: "weakref.WeakSet[Prefetch | WriteQueue]" = weakref.WeakSet()


def queue_depth(frame_bytes: int) -> int:
    """How many frames a queue may hold: as many as fit into 64 MiB, at least 2 and at most 16."""
    return max(2, min(16, QUEUE_BYTES // max(frame_bytes, 1)))


class Prefetch(Generic[T]):
    """Iterates over `items` in a thread, at most `depth` items ahead. The consumer gets its exceptions."""

    def __init__(self, items: Iterator[T], depth: int):
        self._items = items
        self._queue: queue.Queue = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="decode", daemon=True)
        _RUNNING.add(self)
        self._thread.start()

    def _run(self) -> None:
        try:
            try:
                for item in self._items:
                    if not self._put(item):
                        return
            finally:
                if isinstance(self._items, Generator):
                    self._items.close()  # in the thread that ran it
        except BaseException as error:
            self._error = error
        self._put(_END)

    def _put(self, item: object) -> bool:
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[T]:
        while not self._stop.is_set():
            item = self._queue.get()
            if item is _END:
                self._thread.join()
                if self._error is not None:
                    raise self._error
                return
            yield item

    def close(self) -> None:
        """Stops the thread and waits for it."""
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue
        self._thread.join()


def prefetched(items: Iterable[T], depth: int) -> Iterator[T]:
    """The items, computed in a thread of its own at most `depth` ahead; the thread ends with this iterator."""
    ahead = Prefetch(iter(items), depth)
    try:
        yield from ahead
    finally:
        ahead.close()


class WriteQueue(Generic[T]):
    """Passes items to `consume` in a thread. The next `put` or `finish` raises its exception."""

    def __init__(self, consume: Callable[[T], None], depth: int):
        self._consume = consume
        self._queue: queue.Queue = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="encode", daemon=True)
        _RUNNING.add(self)
        self._thread.start()

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not _END and not self._stop.is_set():
                self._consume(item)
        except BaseException as error:
            self._error = error

    def put(self, item: object) -> None:
        """Adds an item; waits while the queue is full."""
        while self._thread.is_alive():
            try:
                self._queue.put(item, timeout=0.1)
                break
            except queue.Full:
                continue
        self._raise()

    def finish(self) -> None:
        """Waits until all items are consumed."""
        self.put(_END)
        self._thread.join()
        self._raise()

    def stop(self) -> None:
        """Drops the queued items and waits for the thread. Raises nothing."""
        self._stop.set()
        while self._thread.is_alive():
            with contextlib.suppress(queue.Full):
                self._queue.put_nowait(_END)
            self._thread.join(timeout=0.05)
            with contextlib.suppress(queue.Empty):
                self._queue.get_nowait()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error


@atexit.register
def _stop_all() -> None:
    """Stops threads that nobody has closed, such as after a Ctrl-C while one was being started.

    Python ends threads that still run at its own end. In the middle of a C++ function this aborts the program.
    """
    for each in tuple(_RUNNING):
        each._stop.set()
        with contextlib.suppress(queue.Full):
            each._queue.put_nowait(_END)
        with contextlib.suppress(RuntimeError):  # it has not been started yet
            each._thread.join(_LAST_SECONDS)
