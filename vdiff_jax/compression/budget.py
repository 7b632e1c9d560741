"""How long `compress` may search for a better file than the plain codec's."""

import math
import time

from vdiff_jax.runtime.stopwatch import Stopwatch

ADAPT = ("none", "fast", "best")
"""How long `compress` may search. "none": only the Wiener step is fitted. "best": every trial is made."""
_SHARE = 2.0
_ALLOWANCE = 8.0
"""With "fast", all of `compress` takes at most `_SHARE` times the plain encoder's time and this many seconds.

Starting Python takes two seconds more.
"""
_LONG_ENOUGH = 0.5
"""Seconds: a shorter time does not show how busy the machine is."""


class Budget:
    """Says which trials there is time for.

    Args:
      adapt: one of `ADAPT`.
      clock: measures the plain encoder's time as the stage "encode".
      plain_seconds: that time, if it was estimated before anything is encoded; it counts as passed.

    Attributes:
      plain_seconds: how long the plain encoder took.
      skipped: the trials for which there was no time.
    """

    def __init__(self, adapt: str, clock: Stopwatch, *, plain_seconds: float = 0.0):
        self._adapt, self._clock, self._begun = adapt, clock, time.monotonic() - plain_seconds
        self._begun_working, self._slowdown = time.process_time(), 1.0
        self.plain_seconds = plain_seconds
        self.skipped: list[str] = []

    @property
    def unlimited(self) -> bool:
        """Whether every trial is made, whatever time it takes."""
        return self._adapt == "best"

    @property
    def seconds_left(self) -> float:
        """The time that is left for trials, in seconds of an idle machine."""
        if self._adapt != "fast":
            return math.inf if self.unlimited else 0.0
        return (_SHARE * self.plain_seconds + _ALLOWANCE - (time.monotonic() - self._begun)) / self._slowdown

    def begin_trials(self) -> None:
        """Marks the end of the plain encoder's work; what follows are trials.

        If this process got less than one processor until now, the machine is busy, and trials take as much longer.
        """
        if self.plain_seconds:
            return
        self.plain_seconds = self._clock.seconds.get("encode", 0.0)
        passed, worked = time.monotonic() - self._begun, time.process_time() - self._begun_working
        if passed >= _LONG_ENOUGH:
            self._slowdown = max(1.0, passed / max(worked, 1e-3))

    def allows(self, seconds: float, trial: str) -> bool:
        """Whether there is time for a trial. If not, the trial is listed in `skipped`.

        Args:
          seconds: about how long the trial takes.
          trial: its name, for messages.
        """
        allowed = seconds <= self.seconds_left
        if not allowed and self._adapt == "fast" and trial not in self.skipped:
            self.skipped.append(trial)
        return allowed
