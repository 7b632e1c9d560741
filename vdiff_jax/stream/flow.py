"""Optical flow between two frames, by OpenCV's dense inverse search (DIS) on half-size luma."""

import dataclasses
import functools
from collections.abc import Mapping

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.stream.dis import COARSE, FINE, dense_flow, make_dis
from vdiff_jax.stream.push_pull import push_pull_fill
from vdiff_jax.stream.warp import grid_points, warp, warp_half_size

SMALLEST = 24
"""Half-size pixels: DIS cannot search in a picture with a shorter side, and its flow is taken as zero."""

_WINDOW = 9
"""The side of the window around a point that decides its flow, in points of the velocity grid."""
_MEASURABLE = 0.75
"""The least fraction of that window that is known where the flow is valid."""
_CAMERA_POINTS, _CAMERA_ROUNDS = 900, 5
"""Points that the camera motion is fitted to, and rounds of reweighting."""
_SIMPLER = 1.1
"""Zero motion, or the camera motion, replaces the measured flow if its mismatch is at most this many times as large."""
_MISMATCH_SIGMA = 5.0
"""Sigma of the Gaussian over which that mismatch is averaged, in half-size pixels."""
_STILL = 0.15
"""Camera motion below this many full-size pixels is treated as zero: noise alone produces that much."""

Field = Float[np.ndarray, "hv wv 2"]
"""Displacements (x, y) in full-size pixels on the velocity grid."""


@dataclasses.dataclass(frozen=True)
class FlowFrame:
    """A frame as optical flow needs it.

    Attributes:
      small: the half-size, smoothed luma; `None` for a frame without content.
      known: 1 where the frame is known, on the velocity grid; `None` where all of it is.
      time: the frame's time in frame intervals.
      size: its height and width in pixels.
      displacements: those to other frames that are measured already, by the other frames' times.
    """

    small: UInt8[np.ndarray, "h2 w2"] | None
    known: Float[np.ndarray, "hv wv"] | None
    time: float | int
    size: tuple[int, int]
    displacements: Mapping[float | int, Field] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_luma(
        cls,
        luma: Float[np.ndarray, "h w"],
        known: Float[np.ndarray, "h w"] | None = None,
        *,
        time: float | int,
        filled: bool = False,
    ) -> "FlowFrame":
        """Makes the half-size picture.

        Args:
          luma: in [0, 1].
          known: 1 where luma is known; `None` if all of it is.
          time: the frame's time in frame intervals.
          filled: whether holes in luma are filled already. Others are filled here, so that their edges are not tracked.
        """
        if known is None or known.all():
            return cls(half_size(luma), None, time, luma.shape)
        if not known.any():
            return cls(None, None, time, luma.shape)
        luma = luma if filled else push_pull_fill(luma[..., None], known)[..., 0]
        return cls(half_size(luma), _on_velocity_grid(known), time, luma.shape)


class MotionMeter:
    """Measures the displacement between two frames."""

    def __init__(self) -> None:
        self._coarse, self._fine = make_dis(COARSE), make_dis(FINE)

    def displacement(self, here: FlowFrame, there: FlowFrame, *, fine: bool = False) -> Field:
        """Where each pixel of one frame lies in another; flow is continued into holes from around them.

        Args:
          here, there: the two frames.
          fine: also searches the finest level of the pyramid, which takes twice as long.
        """
        height, width = here.small.shape
        size = (width * 2 // VELOCITY_GRID, height * 2 // VELOCITY_GRID)
        if min(height, width) < SMALLEST:
            return np.zeros((size[1], size[0], 2), np.float32)
        flow = dense_flow(self._fine if fine else self._coarse, here.small, there.small)
        field = 2.0 * cv2.resize(flow, size, interpolation=cv2.INTER_AREA)
        return field if here.known is None else push_pull_fill(field, here.known)

    def displacement_and_validity(self, here: FlowFrame, there: FlowFrame) -> tuple[Field, Float[np.ndarray, "hv wv"]]:
        """The displacement as it was measured, in holes too; and 1 where a point's window is known in both frames."""
        field = self.displacement(dataclasses.replace(here, known=None), there)
        first, second = (_known_share(frame.known, field.shape[:2]) for frame in (here, there))
        share = np.minimum(first, warp(second, field / VELOCITY_GRID))
        return field, (share > _MEASURABLE).astype(np.float32)


def half_size(luma: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h2 w2"]:
    """The half-size, slightly smoothed picture that optical flow is measured on."""
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    half = cv2.GaussianBlur(half, (0, 0), 0.8)
    half *= 255.0
    half += 0.5
    return np.clip(half, 0, 255, out=half).astype(np.uint8)


def camera_motion(field: Field, valid: Float[np.ndarray, "hv wv"]) -> Field:
    """The dominant motion of a field: that of a plane seen by a moving camera. Zero if too few points are valid.

    Eight parameters, fitted by reweighted least squares.

    Args:
      field: the measured displacements.
      valid: 1 where they are valid, else 0; see `MotionMeter.displacement_and_validity`.

    Source: Bergen et al., Hierarchical Model-Based Motion Estimation, 1992.
    """
    basis = _motion_basis(valid.shape)
    step = max(1, int(np.sqrt(valid.size / _CAMERA_POINTS)))
    used = valid[::step, ::step] > 0
    if used.sum() < 5 * basis.shape[-1]:
        return np.zeros_like(field)
    a, b = basis[:, ::step, ::step][:, used]
    u, v = field[::step, ::step][used].T
    motion = np.zeros(basis.shape[-1])
    motion[[0, 3]] = np.median(u), np.median(v)
    for _ in range(_CAMERA_ROUNDS):
        residual = np.hypot(u - a @ motion, v - b @ motion)
        weight = (1 + np.square(residual / max(1.5 * np.median(residual), 0.15))) ** -2
        normal = (a.T * weight) @ a + (b.T * weight) @ b + 1e-3 * np.eye(len(motion))
        motion = np.linalg.solve(normal, (a.T * weight) @ u + (b.T * weight) @ v)
    return np.stack(list(basis @ motion.astype(np.float32)), axis=-1)


@functools.lru_cache(maxsize=4)
def _motion_basis(size: tuple[int, ...]) -> Float[np.ndarray, "2 hv wv 8"]:
    """The displacement of every point of a grid, in x and in y, by each of the eight parameters."""
    x, y = np.moveaxis(grid_points(size) / np.array(size[::-1], np.float32) - 0.5, -1, 0)
    one, none = np.ones_like(x), np.zeros_like(x)
    along_x, along_y = (one, x, y, none, none, none, x * x, x * y), (none, none, none, one, x, y, x * y, y * y)
    return np.stack([np.stack(along_x, axis=-1), np.stack(along_y, axis=-1)])


def simplest_motion(here: FlowFrame, there: FlowFrame, field: Field) -> Field:
    """The displacement, replaced by zero or by the camera motion where either matches the two frames about as well.

    Flow that is measured at each point follows the noise: pictures warped by it are blurred and flicker.
    """
    if min(here.small.shape) < SMALLEST:
        return field
    small, size = there.small, field.shape[:2]
    least = _SIMPLER * mean_difference(here.small, warp_half_size(small, field), size, _MISMATCH_SIGMA)
    camera = camera_motion(field, np.ones(size, np.float32))
    camera[np.linalg.norm(camera, axis=-1) < _STILL] = 0
    for candidate, warped in ((camera, warp_half_size(small, camera)), (np.zeros_like(field), small)):
        difference = mean_difference(here.small, warped, size, _MISMATCH_SIGMA)
        field = np.where((difference <= least)[..., None], candidate, field)
        least = np.minimum(difference, least)
    return field


def mean_difference(
    one: UInt8[np.ndarray, "h w"], other: UInt8[np.ndarray, "h w"], size: tuple[int, int], sigma: float
) -> Float[np.ndarray, "hv wv"]:
    """The mean absolute difference of two half-size pictures around each point of the velocity grid.

    Args:
      one, other: the pictures, 8-bit.
      size: height and width of the velocity grid.
      sigma: of the Gaussian over which the mean is taken, in pixels of the pictures.
    """
    difference = cv2.absdiff(one, other).astype(np.float32)
    cells = cv2.resize(difference, size[::-1], interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(cells, (0, 0), 2 * sigma / VELOCITY_GRID)


def _known_share(known: Float[np.ndarray, "hv wv"] | None, size: tuple[int, ...]) -> Float[np.ndarray, "hv wv"]:
    """The share of each point's window that is known."""
    if known is None:
        return np.ones(size, np.float32)
    return cv2.blur(known, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REPLICATE)


def _on_velocity_grid(known: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "hv wv"]:
    height, width = known.shape
    size = (width // VELOCITY_GRID, height // VELOCITY_GRID)
    return (cv2.resize(known, size, interpolation=cv2.INTER_AREA) > 0.7).astype(np.float32)
