"""How long the stages of a job took, for its report."""

import contextlib
import resource
import time
from collections.abc import Iterable, Iterator
from typing import Any


class Clock:
    """How long each stage took, and when the frames came."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = time.monotonic()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begun

    def timed(self, name: str, items: Iterable) -> Iterator:
        """The items, the time waited for each counted to a stage."""
        iterator = iter(items)
        end = object()
        while True:
            with self.stage(name):
                item = next(iterator, end)
            if item is end:
                return
            yield item

    def report(self, count: int, width: int, height: int, plan: Any, *restorers: Any) -> dict[str, Any]:
        """The report as JSON."""
        report = self.measures(count, width, height, sum((each.compile_seconds for each in restorers), 0.0))
        report["plan"] = plan.report()
        for restorer in restorers:
            report |= restorer.report()
        return report

    def measures(self, count: int, width: int, height: int, compiling: float = 0.0) -> dict[str, Any]:
        """How much was done in which time; stages overlap, for they run in threads."""
        total = time.monotonic() - self._begun
        working = total - compiling - self.seconds.get("load", 0.0)
        return {
            "frames": count,
            "width": width,
            "height": height,
            "seconds": {**{k: round(v, 3) for k, v in self.seconds.items()}, "total": round(total, 3)},
            "compile_seconds": round(compiling, 3),
            "frames_per_second": round(count / max(working, 1e-9), 3),
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
