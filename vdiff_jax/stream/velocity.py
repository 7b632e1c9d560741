"""The velocity field of an Observation: where each pixel of a frame lies in the frames before and after it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.stream.flow import Field, FlowFrame, MotionMeter, simplest_motion
from vdiff_jax.stream.midway import best_explained, between


def velocity(
    frames: Sequence[FlowFrame], *, before: FlowFrame | None = None, after: FlowFrame | None = None
) -> Float[np.ndarray, "t hv wv 4"]:
    """The displacements (x, y) of each frame to the frame before it and to the frame after it, in full-size pixels.

    They are multiples of 1/64 pixel, so that a place in a part of a frame is exactly that in the whole frame.
    Displacements lead to the nearest frames that have content. Those of an empty frame are interpolated between its two
    neighbours. Where there is no neighbour the displacement is zero.

    Args:
      frames: frames of one shot, in the order of their times.
      before: the last frame with content before them.
      after: the first frame with content after them.
    """
    with_content = [frame for frame in (before, *frames, after) if frame is not None and frame.small is not None]
    motion = _Displacements(frames[0].size, [frame.time for frame in frames if frame.small is None])
    fields = []
    for here in frames:
        last = next((frame for frame in reversed(with_content) if frame.time < here.time), None)
        following = next((frame for frame in with_content if frame.time > here.time), None)
        if here.small is not None:
            pair = [motion.simplest(here, last), motion.simplest(here, following)]
        elif last is None or following is None:
            pair = [motion.measured(None, None)] * 2
        else:
            share = (here.time - last.time) / (following.time - last.time)
            forward, backward = motion.measured(last, following), motion.measured(following, last)
            candidates = between(forward, backward, share), forward, -backward
            whole = best_explained(last, following, candidates, share)
            pair = [-share * whole, (1 - share) * whole]
        fields.append(np.concatenate(pair, axis=-1))
    return np.round(64 * np.stack(fields)) / 64


class _Displacements:
    """Displacements between frames, each measured once; zero where one of the two frames is missing.

    Args:
      size: height and width of the frames.
      empty: the times of frames without content; displacements across these are measured on the finest level too.
    """

    def __init__(self, size: tuple[int, int], empty: Sequence[float | int]):
        self._zero = np.zeros((size[0] // VELOCITY_GRID, size[1] // VELOCITY_GRID, 2), np.float32)
        self._meter, self._empty = MotionMeter(), empty
        self._cache: dict[tuple[float, float], np.ndarray] = {}

    def measured(self, here: FlowFrame | None, there: FlowFrame | None) -> Field:
        """The displacement from one frame to another."""
        if here is None or there is None:
            return self._zero
        if there.time in here.displacements:
            return here.displacements[there.time]
        key = (here.time, there.time)
        if key not in self._cache:
            fine = any(min(key) < time < max(key) for time in self._empty)
            self._cache[key] = self._meter.displacement(here, there, fine=fine)
        return self._cache[key]

    def simplest(self, here: FlowFrame, there: FlowFrame | None) -> Field:
        """The same, simplified by `simplest_motion` unless propagation measured it."""
        field = self.measured(here, there)
        return field if there is None or there.time in here.displacements else simplest_motion(here, there, field)
