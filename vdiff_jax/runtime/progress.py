"""Reports a run's plan, stages and finished frames to its caller."""

from collections.abc import Callable
from typing import Any

Progress = Callable[[int], Any]
"""Is called with the number of frames that are done. A `Listener` also gets the plan and the stages."""


class Listener:
    """Receives a run's plan, its stages and the number of finished frames; this class ignores them."""

    def expect(self, frames: int | None, plan: str) -> None:
        """Is called before the first frame.

        Args:
          frames: the output's number of frames; `None` if unknown.
          plan: what was found and what will be done, in one line.
        """

    def begin(self, stage: str) -> None:
        """Is called where a stage begins; frames are counted from 0 again."""

    def __call__(self, frames: int) -> None:
        """Is called with the number of frames that are done."""


def announce(progress: Progress, frames: int | None, plan: str) -> None:
    """Passes the plan to a listener; a plain function, which only takes the number of frames, does not get it."""
    if isinstance(progress, Listener):
        progress.expect(frames, plan)
