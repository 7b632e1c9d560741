"""Finds whether one of two videos is shifted by a frame."""

from collections import deque

import cv2
import numpy as np
from jaxtyping import Float

_SIZE = (64, 36)
"""Width and height of the small pictures that are compared; noise and coding errors average out."""
_SHARE = 0.5
"""A shift is reported if it leaves less than this share of the squared error."""
_SMALLEST_ERROR = 1e-6
"""The mean squared error, in [0, 1], below which frames are equal."""
_FEWEST_FRAMES = 4


class ShiftDetector:
    """Compares each frame with the frames before and after its own place in the other video."""

    def __init__(self) -> None:
        self._recent: deque[tuple[np.ndarray, np.ndarray]] = deque(maxlen=2)
        self._errors: dict[int, list[float]] = {-1: [], 0: [], 1: []}

    def add(self, reference: Float[np.ndarray, "t h w 3"], test: Float[np.ndarray, "t h w 3"]) -> None:
        """Takes the next frames of both videos, R'G'B' in [0, 1]."""
        for pair in zip(reference, test):
            self._recent.append(tuple(cv2.resize(f, _SIZE, interpolation=cv2.INTER_AREA) for f in pair))  # type: ignore
            if len(self._recent) == 2:
                (reference_before, test_before), (reference_here, test_here) = self._recent
                self._errors[0].append(_error(reference_here, test_here))
                self._errors[1].append(_error(reference_before, test_here))
                self._errors[-1].append(_error(reference_here, test_before))

    def shift(self) -> int:
        """How many frames the test is late: 1, 0 or -1 (early)."""
        if len(self._errors[0]) < _FEWEST_FRAMES:
            return 0
        means = {shift: float(np.mean(errors)) for shift, errors in self._errors.items()}
        best = min(means, key=means.__getitem__)
        return best if means[0] > _SMALLEST_ERROR and means[best] < _SHARE * means[0] else 0


def _error(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.square(first - second).mean())
