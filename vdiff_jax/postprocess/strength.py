"""`--strength`: mixes repaired frames with the input's frames."""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.samples import to_samples


class Mix:
    """Keeps the input's frames of one video until they are mixed with their repaired versions.

    Args:
      strength: the share of the repaired frame, from 0 to 1.
      pixels: the frames' pixel format.
      done: the number of frames at the start that `mix` does not get, because an earlier run has written them.
    """

    def __init__(self, strength: float | int, pixels: PixelFormat, done: int = 0):
        self._strength, self._pixels, self._done = np.float32(strength), pixels, done
        self._frames: deque[Frame] = deque()

    def keep(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, unchanged; each is remembered for `mix`."""
        for number, frame in enumerate(frames):
            if number >= self._done:
                self._frames.append(frame)
            yield frame

    def mix(self, repaired: Iterable[Frame]) -> Iterator[Frame]:
        """The repaired frames, each mixed with the input's frame."""
        for frame in repaired:
            pairs = zip(self._frames.popleft().planes, frame.planes)
            yield dataclasses.replace(frame, planes=tuple(self._mixed(old, new) for old, new in pairs))

    def _mixed(self, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        before = old.astype(np.float32)
        return to_samples(before + self._strength * (new.astype(np.float32) - before), new.dtype, self._pixels)
