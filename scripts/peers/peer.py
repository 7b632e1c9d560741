"""What a peer is, and how one that works frame by frame is run."""

import dataclasses
import importlib.util
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
from benchmarking.problems import Problem


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restored:
    """The result of a peer.

    Attributes:
      frames: restored frames, uint8 RGB `n h w 3`.
      numbers: which frame of the problem each of them is: all, unless the peer ran out of time.
      seconds_per_frame: wall-clock time without warm-up. Only this project's includes reading and writing pictures.
      peak_memory_bytes: of the peer's process if it has one of its own; None if it ran in the caller's process.
    """

    frames: np.ndarray
    numbers: list[int]
    seconds_per_frame: float
    peak_memory_bytes: int | None = None


class Peer(Protocol):
    """Something that restores clips. A peer made only for some variants of its task lists them in `variants`."""

    name: str
    task: str
    source: str
    """Where users get it."""

    def missing(self) -> str | None:
        """The name of what has to be installed before it runs, or None."""
        ...

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Restores the frames. A peer that works frame by frame starts no other frame after `budget` seconds."""
        ...


def frame_by_frame(
    restore: Callable[[np.ndarray, np.ndarray | None], np.ndarray], problem: Problem, *, budget: float
) -> Restored:
    """Runs a function of a frame and its mask (None if there is none) over a problem, after one run for warm-up.

    The frames come in an order that covers the whole clip early, so that a peer that runs out of time is still measured
    on all of its parts. At least one frame is restored.
    """
    frames, masks = problem.frames(), problem.masks()
    order = _bit_reversed(len(frames))

    def timed(number: int) -> tuple[np.ndarray, float]:
        begun = time.perf_counter()
        return restore(frames[number], None if masks is None else masks[number]), time.perf_counter() - begun

    first, warm_up = timed(order[0])
    spent, seconds = warm_up, []
    results: dict[int, np.ndarray] = {}
    for number in order:
        if spent > budget:
            break
        results[number], elapsed = timed(number)
        seconds.append(elapsed)
        spent += elapsed
    if not results:
        results, seconds = {order[0]: first}, [warm_up]
    numbers = sorted(results)
    stacked = np.stack([results[number] for number in numbers])
    return Restored(frames=stacked, numbers=numbers, seconds_per_frame=float(np.mean(seconds)))


def _bit_reversed(count: int) -> list[int]:
    """The numbers 0 to count - 1 ordered by their reversed bits: each is far from those just before it."""
    bits = max(count - 1, 1).bit_length()
    reversed_bits = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(2**bits))
    return [number for number in reversed_bits if number < count]


def missing_modules(names: Iterable[str]) -> str | None:
    """The first of these modules that is not installed, or None."""
    return next((name for name in names if importlib.util.find_spec(name) is None), None)
