"""How long the stages of a run took, for its report."""

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

from vdiff_jax.runtime.peak_memory import peak_memory_bytes


class Stopwatch:
    """Measures the stages of a run, which may run in several threads.

    The time of a stage within another stage of the same thread is not part of the outer one's time.

    Attributes:
      seconds: how long each stage took so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = time.monotonic()
        self._thread = threading.local()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Counts the time within the `with` block to a stage."""
        outer, self._thread.inner = getattr(self._thread, "inner", 0.0), 0.0
        begun = time.monotonic()
        try:
            yield
        finally:
            taken = time.monotonic() - begun
            self.seconds[name] = self.seconds.get(name, 0.0) + taken - self._thread.inner
            self._thread.inner = outer + taken

    def timed(self, name: str, items: Iterable) -> Iterator:
        """The items; the time until each one comes counts to a stage."""
        iterator = iter(items)
        end = object()
        while True:
            with self.stage(name):
                item = next(iterator, end)
            if item is end:
                return
            yield item

    def report(self, count: int, width: int, height: int, compiling: float = 0.0) -> dict[str, Any]:
        """The frames, the time of each stage and the speed, as JSON; stages in different threads overlap.

        Args:
          count: frames that came out.
          width, height: of these frames.
          compiling: seconds of compilation, which the speed leaves out, as it does the stage "load".
        """
        total = time.monotonic() - self._begun
        working = total - compiling - self.seconds.get("load", 0.0)
        return {
            "frames": count,
            "width": width,
            "height": height,
            "seconds": {**{k: round(v, 3) for k, v in self.seconds.items()}, "total": round(total, 3)},
            "compile_seconds": round(compiling, 3),
            "frames_per_second": round(count / max(working, 1e-9), 3),
            "peak_memory_bytes": peak_memory_bytes(),
        }
