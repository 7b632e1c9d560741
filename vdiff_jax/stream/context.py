"""The frames of a resumed run: those before its checkpoint are left out, and the last of them serve as context."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TypeVar

import numpy as np

from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.checkpoints import Checkpoints

Item = TypeVar("Item")


def passed(frames: Iterable[Item], checkpoints: Checkpoints) -> Iterator[Item]:
    """The frames that an earlier run has not written; for steps without a state. Proposes checkpoints."""
    for count, frame in enumerate(frames, start=1):
        if count > checkpoints.begun.frames:
            checkpoints.propose(count, 0)
            yield frame


def with_context(frames: Iterable[Frame], depth: int, checkpoints: Checkpoints, step: str) -> Iterator[Frame]:
    """The last `depth` frames that an earlier run has written, then the frames that it has not written.

    At each checkpoint the last frames are kept as the state of `step`. At the start of a video there are none before.
    """
    kept = checkpoints.state(step) or []
    recent: deque[Frame] = deque(maxlen=depth)
    if kept:
        starts, counts, *kept = kept
        planes, results = len(kept) // len(starts), int(counts)
        for number, starts_shot in enumerate(starts.tolist()):
            own = tuple(kept[number * planes : (number + 1) * planes])
            recent.append(Frame(own[:results], 0, starts_shot=starts_shot, given=own[results:]))
    yield from list(recent)
    for count, frame in enumerate(frames, start=checkpoints.begun.frames + 1):
        recent.append(frame)
        if checkpoints.here(count):
            starts = np.array([each.starts_shot for each in recent])
            planes = [plane for each in recent for plane in (*each.planes, *each.given)]
            checkpoints.keep(count, step, [starts, np.array(len(frame.planes)), *planes])
        yield frame


def context_frames(depth: int, checkpoints: Checkpoints) -> int:
    """How many frames `with_context` yields before those that are new."""
    return min(depth, checkpoints.begun.frames)
