"""What a peer is, and the table of them."""

import dataclasses
import importlib.util
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
from benchmarking.problems import Problem


@dataclasses.dataclass(frozen=True, kw_only=True)
class Restored:
    """What a peer made of a problem.

    Attributes:
      frames: uint8 RGB `n h w 3`.
      numbers: which of the problem's frames these are: all, unless it took too long.
      seconds_per_frame: wall-clock time after warm-up; but for this project's, without reading and writing pictures.
      peak_memory_bytes: of the process, where the peer has one of its own; None leaves that to the caller.
    """

    frames: np.ndarray
    numbers: list[int]
    seconds_per_frame: float
    peak_memory_bytes: int | None = None


class Peer(Protocol):
    """Something that restores clips; one that is made for some variants only names them in `variants`."""

    name: str
    task: str
    source: str
    """Where people get it."""

    def missing(self) -> str | None:
        """What has to be installed before it runs, or None."""
        ...

    def restore(self, problem: Problem, *, budget: float) -> Restored:
        """Restores the frames; one that works frame by frame begins none after `budget` seconds, but does one."""
        ...


def frame_by_frame(
    restore: Callable[[np.ndarray, np.ndarray | None], np.ndarray], problem: Problem, *, budget: float
) -> Restored:
    """Runs a function of one frame and its mask (None for noise) over a problem, once before it for warm-up.

    Frames are taken in an order that spreads over the clip, so that a peer out of time has still seen all of it.
    """
    frames, masks = problem.frames(), problem.masks()
    order = _spread(len(frames))

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


def _spread(count: int) -> list[int]:
    """0 to count - 1, each next one far from those before it (bits reversed)."""
    bits = max(count - 1, 1).bit_length()
    reversed_bits = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(2**bits))
    return [number for number in reversed_bits if number < count]


def missing_modules(names: Iterable[str]) -> str | None:
    """The first of these modules that can't be imported."""
    return next((name for name in names if importlib.util.find_spec(name) is None), None)
