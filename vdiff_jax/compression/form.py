"""What a track keeps of its source: a size, and all frames or every second one."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from vdiff_jax.pixels import Frame
from vdiff_jax.stream.resize import Shape


class Form(NamedTuple):
    """A track's form.

    Attributes:
      shape: height and width.
      halved: every second frame is kept, and the last one.
    """

    shape: Shape
    halved: bool = False

    def frames(self, window: range, count: int) -> list[int]:
        """Which frames of a part of the video it keeps, of `count` in all."""
        return [n for n in window if not self.halved or n % 2 == 0 or n == count - 1]

    def measured(self, part: slice) -> slice:
        """A part of a window that begins with an even frame, in the frames that it keeps of the window."""
        return slice(part.start // 2, part.stop // 2) if self.halved and part.start is not None else part

    def as_report(self) -> dict[str, Any]:
        return {"width": self.shape[1], "height": self.shape[0], "every_second_frame": self.halved}


def halved(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Every second frame and the last one, each shown until the next."""
    held: Frame | None = None
    between: Frame | None = None
    for index, frame in enumerate(frames):
        if index % 2:
            between = frame
            continue
        if held is not None:
            yield dataclasses.replace(held, duration=frame.pts - held.pts)
        held, between = frame, None
    if held is not None and between is not None:
        yield dataclasses.replace(held, duration=between.pts - held.pts)
        held = between
    if held is not None:
        yield held
