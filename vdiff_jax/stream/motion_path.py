"""The frames of a shot with the motion between them, and paths from one frame to the others along that motion."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.flow import Field, FlowFrame, MotionMeter, camera_motion
from vdiff_jax.stream.push_pull import push_pull_fill
from vdiff_jax.stream.samples import bounding_box, mask_at_scale
from vdiff_jax.stream.warp import grid_points, remap, sample_at

_AROUND = 8
"""Points of the velocity grid around holes on which motion is judged."""
_MISMATCH_SIGMA = 2.0
"""Sigma of the Gaussian, in points of the velocity grid, over which the mismatch of known pixels is averaged."""
_NO_MISMATCH = 255.0
"""The mismatch, in 8-bit units, of a point with nothing known around it."""

Points = Float[np.ndarray, "n 2"]
"""x and y in pixels."""


@dataclasses.dataclass
class ShotFrame:
    """A frame of a shot and the motion to its neighbours.

    Attributes:
      item: the frame, its holes filled from around them.
      backward: the displacements to the frame before, one field for each candidate motion; `None` if unknown.
      forward: the displacements to the frame after, likewise.
    """

    item: AnalysedFrame
    backward: tuple[Field, ...] | None = None
    forward: tuple[Field, ...] | None = None
    _hidden: dict[tuple[int, int], UInt8[np.ndarray, "h w"]] = dataclasses.field(default_factory=dict)

    @property
    def motion_count(self) -> int:
        """The number of candidate motions."""
        return len(self.backward or self.forward or ())

    def shows(self, points: Points, scale: tuple[int, int]) -> Bool[np.ndarray, " n"]:
        """Whether points lie inside the frame and all samples around them are known.

        Args:
          points: x and y in pixels.
          scale: pixels that a sample of the plane stands for, (y, x).
        """
        if scale not in self._hidden:
            self._hidden[scale] = mask_at_scale(self.item.hidden, scale).astype(np.uint8) * np.uint8(255)
        height, width = self.item.hidden.shape
        x, y = points.T
        inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
        return inside & (sample_at(self._hidden[scale], in_plane(points, scale)) < 1)


def measure_motion(first: ShotFrame, second: ShotFrame, meter: MotionMeter, *, in_holes: bool) -> None:
    """Sets the motion between two neighbouring frames; it stays unknown if either frame is masked everywhere.

    Args:
      first, second: the frames.
      meter: measures displacements.
      in_holes: also tries the flow as it was measured inside holes, which needs frames that are filled well.
    """
    one, other = first.item.flow_frame, second.item.flow_frame
    if one.small is None or other.small is None:
        return
    first.forward = _motions(one, other, meter, in_holes=in_holes)
    second.backward = _motions(other, one, meter, in_holes=in_holes)


def _motions(here: FlowFrame, there: FlowFrame, meter: MotionMeter, *, in_holes: bool) -> tuple[Field, ...]:
    """The measured flow continued into holes, the camera motion, and perhaps the flow measured inside holes."""
    field, valid = meter.displacement_and_validity(here, there)
    continued = push_pull_fill(field, valid)
    motions = continued, camera_motion(continued, valid)
    return (*motions, field) if in_holes else motions


class MotionPath:
    """The displacements from a frame to the frames before or after it along one candidate motion, computed on demand.

    Args:
      shot: the frames of the shot that are in memory.
      index: the frame that the path starts from.
      direction: -1 to earlier frames, 1 to later ones.
      motion: the number of the candidate motion that it follows.
      coarse: whether to visit few frames, to save time.
    """

    def __init__(self, shot: Sequence[ShotFrame], index: int, direction: int, motion: int, *, coarse: bool):
        self.coarse = coarse
        self._shot, self._index, self._direction, self._motion = shot, index, direction, motion
        self._here = shot[index].item
        self.points = _grid_around_holes(self._here)
        self._displacements: list[Field] = [np.zeros_like(self.points)]
        self._mismatches: dict[int, Float[np.ndarray, "hb wb"]] = {}

    def displacement(self, distance: int) -> Field | None:
        """Where the points around the holes lie that many frames away; `None` beyond the shot or an unknown motion."""
        while distance >= len(self._displacements):
            before = self._index + self._direction * (len(self._displacements) - 1)
            if not 0 <= before + self._direction < len(self._shot):
                return None
            fields = self._shot[before].forward if self._direction > 0 else self._shot[before].backward
            if fields is None:
                return None
            last = self._displacements[-1]
            step = remap(fields[self._motion], self.points + last / VELOCITY_GRID)
            self._displacements.append(last + step)
        return self._displacements[distance]

    def frame(self, distance: int) -> ShotFrame:
        """The frame that many frames away."""
        return self._shot[self._index + self._direction * distance]

    def has_same_hole(self, distance: int) -> bool:
        """Whether the same samples are hidden in the frame that many frames away."""
        there = self.frame(distance).item.hidden
        return there is self._here.hidden or np.array_equal(there, self._here.hidden)

    def mismatch(self, distance: int) -> Float[np.ndarray, "hb wb"]:
        """The mean difference of known pixels around each point from that frame along the path, in 8-bit units."""
        if distance not in self._mismatches:
            there = self.frame(distance).item.flow_frame
            displacement = self._displacements[distance]
            self._mismatches[distance] = _mismatch(self._here.flow_frame, there, self.points, displacement)
        return self._mismatches[distance]


def in_plane(points: Points, scale: tuple[int, int]) -> Points:
    """Points in pixels as points of a plane whose samples stand for `scale` pixels, (y, x)."""
    return (points + 0.5) / np.array(scale[::-1], np.float32) - 0.5


def _grid_around_holes(here: AnalysedFrame) -> Float[np.ndarray, "hb wb 2"]:
    """The points of the velocity grid that cover the holes and a margin around them."""
    size = here.flow_frame.size[0] // VELOCITY_GRID, here.flow_frame.size[1] // VELOCITY_GRID
    box = bounding_box(here.hidden, _AROUND * VELOCITY_GRID)
    assert box is not None
    rows, columns = (slice(side.start // VELOCITY_GRID, -(-side.stop // VELOCITY_GRID)) for side in box)
    return grid_points(size)[rows, columns]


def _mismatch(here: FlowFrame, there: FlowFrame, points: Field, displacement: Field) -> Float[np.ndarray, "hb wb"]:
    """The mean difference of two frames around each point along a displacement, in 8-bit units, over known pixels."""
    halves = 2 * points + 0.5
    difference = np.abs(remap(here.small, halves).astype(np.float32) - remap(there.small, halves + displacement / 2))
    known = np.ones_like(difference)
    for frame, shift in ((here, np.zeros_like(displacement)), (there, displacement / VELOCITY_GRID)):
        if frame.known is not None:
            known = known * (remap(frame.known, points + shift) > 0.99)
    weight = cv2.GaussianBlur(known, (0, 0), _MISMATCH_SIGMA)
    mean = cv2.GaussianBlur(difference * known, (0, 0), _MISMATCH_SIGMA) / np.maximum(weight, 1e-6)
    return np.where(weight > 1e-3, mean, np.float32(_NO_MISMATCH))
