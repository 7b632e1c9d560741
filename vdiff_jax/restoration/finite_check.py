"""Counts the frames for which the network gives NaN or infinite values."""

import logging
from typing import Any

import numpy as np
from jaxtyping import Bool

from vdiff_jax.errors import NotFiniteError

log = logging.getLogger(__name__)

_LARGEST_SHARE = 0.01
_FEWEST = 100
"""The share is taken of at least this many frames, so that one frame of a short clip may fail."""


class FiniteCheck:
    """Counts frames with results that are not finite, and ends the run where they are too many."""

    def __init__(self) -> None:
        self._frames = self._failed = 0

    def count(self, finite: Bool[np.ndarray, " n"]) -> None:
        """Counts the next frames.

        Raises:
          NotFiniteError: more than 1 % of all frames so far have failed, and more than one.
        """
        self._frames += len(finite)
        self._failed += int(np.count_nonzero(~finite))
        if self._failed > _LARGEST_SHARE * max(self._frames, _FEWEST):
            raise NotFiniteError(
                f"the network gave NaN or infinite values for {self._failed} of {self._frames} frames, more than 1 %: "
                "check the weights, or pass others with --weights"
            )

    def close(self) -> None:
        """Warns of the frames that have failed, after the last one."""
        if self._failed:
            log.warning(
                "the network gave NaN or infinite values for %d of %d frames: these are left as they were read",
                self._failed,
                self._frames,
            )

    def report(self) -> dict[str, Any]:
        """The number of frames that have failed, if any, for the report."""
        return {"frames_not_finite": self._failed} if self._failed else {}
