"""The velocity field of an Observation: where each pixel of a frame lies in the frames before and after it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.stream.flow import FlowFrame, MotionMeter, simplest_motion
from vdiff_jax.stream.midway import best_explained, between


def velocity(
    frames: Sequence[FlowFrame], *, before: FlowFrame | None = None, after: FlowFrame | None = None
) -> Float[np.ndarray, "t hv wv 4"]:
    """The velocity field of an Observation for frames of one shot, in the order of their times.

    Args:
      frames: the clip.
      before: the frame before the first that holds something; without it nothing is known of where the first came from.
      after: the next frame after the last that holds something.
    """
    held = [frame for frame in (before, *frames, after) if frame is not None and frame.small is not None]
    motion = _Motion(frames[0].size, [frame.time for frame in frames if frame.small is None])
    fields = []
    for here in frames:
        last = next((frame for frame in reversed(held) if frame.time < here.time), None)
        following = next((frame for frame in held if frame.time > here.time), None)
        if here.small is not None:
            pair = [motion.plain(here, last), motion.plain(here, following)]
        elif last is None or following is None:
            pair = [motion(None, None)] * 2
        else:
            share = (here.time - last.time) / (following.time - last.time)
            ways = motion(last, following), motion(following, last)
            whole = best_explained(last, following, (between(*ways, share), ways[0], -ways[1]), share)
            pair = [-share * whole, (1 - share) * whole]
        fields.append(np.concatenate(pair, axis=-1))
    return np.stack(fields)


class _Motion:
    """Displacements between frames, each measured once; 0 where one of the two is missing.

    Args:
      size: of the frames.
      empty: times of frames that hold nothing, across which is measured finely.
    """

    def __init__(self, size: tuple[int, int], empty: Sequence[float | int]):
        self._nothing = np.zeros((size[0] // VELOCITY_GRID, size[1] // VELOCITY_GRID, 2), np.float32)
        self._meter, self._empty = MotionMeter(), empty
        self._measured: dict[tuple[float, float], np.ndarray] = {}

    def __call__(self, here: FlowFrame | None, there: FlowFrame | None) -> Float[np.ndarray, "hv wv 2"]:
        if here is None or there is None:
            return self._nothing
        if there.time in here.displacements:
            return here.displacements[there.time]
        key = (here.time, there.time)
        if key not in self._measured:
            fine = any(min(key) < time < max(key) for time in self._empty)
            self._measured[key] = self._meter.displacement(here, there, fine=fine)
        return self._measured[key]

    def plain(self, here: FlowFrame, there: FlowFrame | None) -> Float[np.ndarray, "hv wv 2"]:
        """The same, no livelier than it need be."""
        field = self(here, there)
        return field if there is None or there.time in here.displacements else simplest_motion(here, there, field)
