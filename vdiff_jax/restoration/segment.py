"""A segment: whole shots of a film, which are restored without the rest of the film."""

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vdiff_jax.pixels import Frame
from vdiff_jax.stream.analysis import AnalysedFrame

CONTEXT = 2
"""The number of frames before and after a cut that the detection of the cut depends on."""


class Segment(NamedTuple):
    """A part of a film, in the pts of its frames.

    Attributes:
      begin: the frame to read from, `CONTEXT` before `start`; `None` at the start of the film.
      start: its first frame, which starts a shot; `None` at the start of the film.
      stop: the frame after its last one, which starts a shot; `None` at the end of the film.
    """

    begin: int | None = None
    start: int | None = None
    stop: int | None = None

    @property
    def before(self) -> int:
        """How many frames are read before the first one."""
        return 0 if self.start is None else CONTEXT

    def read(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames up to the last one that is needed."""
        after = 0
        for frame in frames:
            yield frame
            after += self.stop is not None and frame.pts >= self.stop
            if after == CONTEXT:
                return

    def within(self, analysed: Iterable[AnalysedFrame]) -> Iterator[AnalysedFrame]:
        """The segment's own frames."""
        if self.start is not None:
            analysed = itertools.dropwhile(lambda item: item.frame.pts < self.start, analysed)
        return itertools.takewhile(lambda item: self.stop is None or item.frame.pts < self.stop, analysed)


WHOLE = Segment()
"""A film as one segment."""
