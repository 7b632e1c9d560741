"""Frames in any order from a restoration that runs forward only."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

from vdiff_jax.pixels import Frame


class AnyOrder:
    """Gives a video's restored frames by number, in any order; each frame depends on all before it.

    A frame behind the present one is taken from those that are kept. One that is kept no longer starts the restoration
    again from the first frame. So asking in order costs nothing, and jumping forward restores all frames between.

    Args:
      begin: starts the restoration: a function that returns an iterator over all frames from the first one on.
      kept: how many of the last frames are kept.
    """

    def __init__(self, begin: Callable[[], Iterator[Frame]], kept: int):
        self._begin, self._most = begin, kept
        self._frames: Iterator[Frame] = iter(())
        self._kept: OrderedDict[int, Frame] = OrderedDict()
        self._next = -1  # the number of the next frame; -1 before the restoration has begun
        self._lock = threading.Lock()

    def frame(self, number: int) -> Frame:
        """The restored frame with a number, counted from 0.

        Raises:
          IndexError: the video has no such frame.
        """
        with self._lock:
            if number not in self._kept and not 0 <= self._next <= number:
                self._frames, self._next = self._begin(), 0
            while number not in self._kept:
                frame = next(self._frames, None)
                if frame is None:
                    raise IndexError(f"there is no frame {number}: the video has {self._next}")
                self._kept[self._next] = frame
                self._kept.move_to_end(self._next)
                self._next += 1
                if len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            return self._kept[number]
