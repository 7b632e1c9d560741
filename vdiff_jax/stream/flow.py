"""Motion between two frames, by OpenCV's dense inverse search (DIS) on half-size luma."""

import dataclasses
import functools

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.stream.warp import brought, grid_points, remap

SMALLEST = 24
"""Frames with a half-size side under this hold too little to search in."""


_WINDOW = 9
"""Points of the velocity's grid across which the search for one of them looks."""
_MEASURABLE = 0.75
"""The share of them that has to be known."""
_ENOUGH, _ROUNDS = 900, 5
"""Points that the camera's motion is fitted to, and how often they are weighted anew."""
_PLAINER = 1.1
"""No motion, or the camera's, is taken for a place if it leaves at most so many times the mismatch of its own."""
_PLAIN_REACH = 5.0
"""Half-size pixels around a place over which that is judged."""
_STANDS = 0.15
"""A camera that moves a place by less stands still there, in full-size pixels: so much, noise feigns."""


class MotionMeter:
    """Measures displacement between frames given one by one; keeps nothing but two small pictures.

    Source: Kroeger et al., Fast Optical Flow using Dense Inverse Search, ECCV 2016.
    """

    def __init__(self) -> None:
        self._coarse, self._fine = (cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST) for _ in range(2))
        self._coarse.setFinestScale(1)
        self._fine.setFinestScale(0)
        self._fine.setVariationalRefinementIterations(0)  # with it the same, for twice the time
        self._fine.setPatchStride(3)

    def displacement(self, here: "Seen", there: "Seen", *, fine: bool = False) -> Float[np.ndarray, "hv wv 2"]:
        """Where each pixel of one frame lies in another, in full-size pixels, on the velocity grid.

        Under a hole the motion around it is continued.

        Args:
          here, there: the two frames.
          fine: searches on the finest level of the pyramid too, at twice the cost.
        """
        height, width = here.small.shape
        size = (width * 2 // VELOCITY_GRID, height * 2 // VELOCITY_GRID)
        if min(height, width) < SMALLEST:
            return np.zeros((size[1], size[0], 2), np.float32)
        flow = (self._fine if fine else self._coarse).calc(here.small, there.small, None)
        field = 2.0 * cv2.resize(flow, size, interpolation=cv2.INTER_AREA)
        return field if here.known is None else spread(field, here.known)

    def measure(self, here: "Seen", there: "Seen") -> tuple[Float[np.ndarray, "hv wv 2"], Float[np.ndarray, "hv wv"]]:
        """The displacement as it was found, under holes too; and 1 where what surrounds a point is known in both."""
        field = self.displacement(dataclasses.replace(here, known=None), there)
        around = [_surroundings(seen.known, field.shape[:2]) for seen in (here, there)]
        trusted = np.minimum(around[0], remap(around[1], grid_points(field.shape[:2]) + field / VELOCITY_GRID))
        return field, (trusted > _MEASURABLE).astype(np.float32)


def shrink(luma: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h2 w2"]:
    """The half-size, slightly smoothed picture that motion is measured on."""
    half = cv2.resize(luma, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.clip(cv2.GaussianBlur(half, (0, 0), 0.8) * 255.0 + 0.5, 0, 255).astype(np.uint8)


def spread(image: Float[np.ndarray, "h w c"], known: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w c"]:
    """Fills what is unknown from what is known around it, coarse to fine; zero where nothing is known."""
    if known.all() or not known.any():
        return image * (known > 0)[..., None]
    height, width = known.shape
    size = ((width + 1) // 2, (height + 1) // 2)
    weight = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    total = cv2.resize(image * known[..., None], size, interpolation=cv2.INTER_AREA).reshape(*weight.shape, -1)
    coarse = spread(total / np.maximum(weight, 1e-6)[..., None], (weight > 1e-3).astype(np.float32))
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(image.shape)
    return known[..., None] * image + (1 - known[..., None]) * smooth


@dataclasses.dataclass(frozen=True)
class Seen:
    """What motion is measured on.

    Attributes:
      small: the frame's small picture; `None` for a frame that holds nothing.
      known: where it was known; `None`: everywhere.
      time: the frame's time in frame intervals.
      size: its height and width in pixels.
      measured: the displacements to other frames, by their times, that are known already.
    """

    small: UInt8[np.ndarray, "h2 w2"] | None
    known: Float[np.ndarray, "hv wv"] | None
    time: float | int
    size: tuple[int, int]
    measured: dict[float | int, Float[np.ndarray, "hv wv 2"]] = dataclasses.field(default_factory=dict)


def see(
    luma: Float[np.ndarray, "h w"],
    known: Float[np.ndarray, "h w"] | None = None,
    *,
    time: float | int,
    filled: bool = False,
) -> Seen:
    """Prepares a frame; holes that are not yet are filled from around them, for their edges are no structure."""
    if known is None or known.all():
        return Seen(shrink(luma), None, time, luma.shape)
    if not known.any():
        return Seen(None, None, time, luma.shape)
    luma = luma if filled else spread(luma[..., None], known)[..., 0]
    return Seen(shrink(luma), _on_velocity_grid(known), time, luma.shape)


def camera(field: Float[np.ndarray, "hv wv 2"], trusted: Float[np.ndarray, "hv wv"]) -> Float[np.ndarray, "hv wv 2"]:
    """The motion that most of a field follows, that of a plane before a camera; zero where too little is known.

    Eight parameters (Bergen et al., Hierarchical Model-Based Motion Estimation, 1992), by reweighted least squares.
    """
    across, down = _planes_motions(trusted.shape)
    step = max(1, int(np.sqrt(trusted.size / _ENOUGH)))
    chosen = np.zeros_like(trusted)
    chosen[::step, ::step] = trusted[::step, ::step]
    used = chosen.reshape(-1) > 0
    if used.sum() < 5 * across.shape[1]:
        return np.zeros_like(field)
    a, b = across[used], down[used]
    u, v = field.reshape(-1, 2)[used].T
    motion = np.zeros(across.shape[1])
    motion[[0, 3]] = np.median(u), np.median(v)
    for _ in range(_ROUNDS):
        missed = np.hypot(u - a @ motion, v - b @ motion)
        weight = (1 + np.square(missed / max(1.5 * np.median(missed), 0.15))) ** -2
        left = (a.T * weight) @ a + (b.T * weight) @ b + 1e-3 * np.eye(len(motion))
        motion = np.linalg.solve(left, (a.T * weight) @ u + (b.T * weight) @ v)
    return np.stack([across @ motion, down @ motion], axis=-1).reshape(field.shape).astype(np.float32)


@functools.lru_cache(maxsize=4)
def _planes_motions(size: tuple[int, ...]) -> tuple[Float[np.ndarray, "n 8"], Float[np.ndarray, "n 8"]]:
    """What each of the eight parameters moves every point of a grid by, across and down."""
    x, y = (grid_points(size) / np.array(size[::-1], np.float32) - 0.5).reshape(-1, 2).T
    one, none = np.ones_like(x), np.zeros_like(x)
    across = np.stack([one, x, y, none, none, none, x * x, x * y], axis=-1)
    return across, np.stack([none, none, none, one, x, y, x * y, y * y], axis=-1)


def plainest(here: Seen, there: Seen, field: Float[np.ndarray, "hv wv 2"]) -> Float[np.ndarray, "hv wv 2"]:
    """The displacement, but none or the camera's where that explains a place about as well.

    What is searched for place by place follows the noise; what is moved by it is blurred, and flickers.
    """
    if min(here.small.shape) < SMALLEST:
        return field
    seen, size = there.small, field.shape[:2]
    least = _PLAINER * apart(here.small, brought(seen, field), size, _PLAIN_REACH)
    whole = camera(field, np.ones(size, np.float32))
    whole[np.linalg.norm(whole, axis=-1) < _STANDS] = 0
    for other, shown in ((whole, brought(seen, whole)), (np.zeros_like(field), seen)):
        difference = apart(here.small, shown, size, _PLAIN_REACH)
        field = np.where((difference <= least)[..., None], other, field)
        least = np.minimum(difference, least)
    return field


def apart(
    one: UInt8[np.ndarray, "h w"], other: UInt8[np.ndarray, "h w"], size: tuple[int, int], reach: float
) -> Float[np.ndarray, "hv wv"]:
    """How much two small pictures differ in the mean around each point of the velocity's grid; the reach in pixels."""
    difference = cv2.absdiff(one, other).astype(np.float32)
    cells = cv2.resize(difference, size[::-1], interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(cells, (0, 0), 2 * reach / VELOCITY_GRID)


def _surroundings(known: Float[np.ndarray, "hv wv"] | None, size: tuple[int, ...]) -> Float[np.ndarray, "hv wv"]:
    """The share of what surrounds each point that is known."""
    if known is None:
        return np.ones(size, np.float32)
    return cv2.blur(known, (_WINDOW, _WINDOW), borderType=cv2.BORDER_REPLICATE)


def _on_velocity_grid(known: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "hv wv"]:
    height, width = known.shape
    size = (width // VELOCITY_GRID, height // VELOCITY_GRID)
    return (cv2.resize(known, size, interpolation=cv2.INTER_AREA) > 0.7).astype(np.float32)
