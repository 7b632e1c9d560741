"""Returns restored frames in any order, although the restoration runs forward only."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator

from vdiff_jax.pixels import Frame


class AnyOrder:
    """Restored frames by number. Each frame depends on all frames before it.

    Requests in order restore each frame once. The last `kept` frames stay in memory. A request for an older frame
    starts the restoration again at the first frame. A request further ahead restores all frames up to it.

    Args:
      begin: starts the restoration: returns an iterator over all frames, from the first one on.
      kept: how many of the last restored frames stay in memory.
    """

    def __init__(self, begin: Callable[[], Iterator[Frame]], kept: int):
        self._begin, self._most = begin, kept
        self._frames: Iterator[Frame] = iter(())
        self._kept: OrderedDict[int, Frame] = OrderedDict()
        self._next = -1  # the number of the next frame; -1 before the restoration has begun
        self._lock = threading.Lock()

    def frame(self, number: int) -> Frame:
        """The restored frame of this number, counted from 0. Safe to call from several threads.

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
