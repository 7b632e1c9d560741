"""The canvas of a panorama: a plane or a cylinder, its orientation and its size."""

import dataclasses

import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import StitchError
from vdiff_jax.stitching.bundle_adjustment import camera_matrix, nearest_rotations
from vdiff_jax.stitching.calibration import Calibration

_WIDEST_PLANE = 100.0  # degrees: on a plane, wider views are stretched more than three-fold at the sides
_LARGEST_SHARE = 12  # the canvas's pixels over all cameras' pixels
_LONGEST_SIDE = 16384


@dataclasses.dataclass(frozen=True, kw_only=True)
class Canvas:
    """The surface of the panorama and its pixels.

    Attributes:
      kind: "planar" or "cylindrical".
      width: in pixels, even.
      height: in pixels, even.
      origin: the surface coordinates (x, y) of the canvas's top left pixel.
      focal: the cylinder's radius in pixels (unused on a plane).
      level: 3 3, the rotation from the reference camera's axes to the cylinder's, which makes the horizon level.
      inner: 3 3, the reference camera's intrinsic matrix.
      upright: 3 3, a rotation of the plane by quarter turns, so that most cameras are upright (unused on a cylinder).
    """

    kind: str
    width: int
    height: int
    origin: tuple[int, int]
    focal: float
    level: Float[np.ndarray, "3 3"]
    inner: Float[np.ndarray, "3 3"]
    upright: Float[np.ndarray, "3 3"]


def plan_canvas(calibration: Calibration, *, kind: str = "auto") -> Canvas:
    """Returns the canvas that holds every camera at every moment.

    Args:
      calibration: the rig.
      kind: "planar", "cylindrical" or "auto": a plane up to a field of view of 100 degrees, a cylinder beyond.

    Raises:
      StitchError: the canvas would be more than 12 times as large as all inputs, as from a wrong homography.
    """
    inner = camera_matrix(calibration.focal, calibration.sizes[calibration.reference])
    turns = _upright_cameras(calibration, inner)
    if kind == "auto":
        kind = "planar" if _fits_plane(calibration, inner) else "cylindrical"
    empty = Canvas(
        kind=kind, width=0, height=0, origin=(0, 0), focal=calibration.focal, level=_level(turns), inner=inner,
        upright=_quarter_turns(turns, inner),
    )  # fmt: skip
    points = np.concatenate(
        [
            to_surface(empty, homography, outline(size))
            for homographies in calibration.homographies
            for homography, size in zip(homographies, calibration.sizes)
        ]
    )
    left, top = np.floor(points.min(axis=0) + 1e-6)
    right, bottom = np.ceil(points.max(axis=0) - 1e-6)
    width, height = right - left + 1, bottom - top + 1
    area = sum(width * height for width, height in calibration.sizes)
    if not width * height < _LARGEST_SHARE * area or max(width, height) > _LONGEST_SIDE:
        raise StitchError(
            f"the {kind} canvas would have {width:.0f}×{height:.0f} pixels, so the geometry is wrong or too wide: "
            "leave out the input that overlaps least, or reduce the parallax"
        )
    even = (int(width) + int(width) % 2, int(height) + int(height) % 2)
    return dataclasses.replace(empty, width=even[0], height=even[1], origin=(int(left), int(top)))


def to_surface(canvas: Canvas, homography: np.ndarray, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Maps a camera's pixels to surface coordinates; subtract the canvas's origin for its pixels."""
    plane = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ forward(homography).T
    if canvas.kind == "planar":
        return plane @ canvas.upright[:2].T / np.maximum(plane[:, 2:], 1e-4)
    ray = plane @ (canvas.level @ np.linalg.inv(canvas.inner)).T
    radius = np.maximum(np.hypot(ray[:, 0], ray[:, 2]), 1e-9)
    return canvas.focal * np.stack([np.arctan2(ray[:, 0], ray[:, 2]), ray[:, 1] / radius], axis=1)


def to_canvas(canvas: Canvas, homography: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Returns the homography camera → canvas pixels; for a cylinder, camera → the reference's plane."""
    if canvas.kind != "planar":
        return homography / homography[2, 2]
    moved = np.array([[1.0, 0, -canvas.origin[0]], [0, 1, -canvas.origin[1]], [0, 0, 1]]) @ canvas.upright @ homography
    return moved / moved[2, 2]


def forward(homography: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """Returns the multiple of a homography that gives points in front of the camera a positive depth."""
    return homography * np.sign(np.linalg.det(homography))


def outline(size: tuple[int, int]) -> Float[np.ndarray, "132 2"]:
    """Returns 33 points on each side of a (width, height) picture."""
    width, height = size
    across, down = np.linspace(0, width - 1, 33), np.linspace(0, height - 1, 33)
    sides = [np.stack([across, np.full(33, value)], axis=1) for value in (0.0, height - 1.0)]
    sides += [np.stack([np.full(33, value), down], axis=1) for value in (0.0, width - 1.0)]
    return np.concatenate(sides)


def _fits_plane(calibration: Calibration, inner: np.ndarray) -> bool:
    """Whether the field of view is at most 100 degrees."""
    homographies = [forward(each) for frame in calibration.homographies for each in frame]
    sizes = list(calibration.sizes) * len(calibration.homographies)
    planes = [np.hstack([outline(size), np.ones((132, 1))]) @ each.T for size, each in zip(sizes, homographies)]
    if min(plane[:, 2].min() for plane in planes) < 0.05:
        return False
    rays = np.concatenate(planes) @ np.linalg.inv(inner).T
    angle = np.degrees(np.arctan2(rays[:, 0], rays[:, 2]))
    return bool(angle.max() - angle.min() <= _WIDEST_PLANE)


def _upright_cameras(calibration: Calibration, inner: np.ndarray) -> Float[np.ndarray, "m 3 3"]:
    """The rotations, camera → reference's axes, of the largest group of cameras that agree which way is down."""
    own = np.stack([camera_matrix(calibration.focal, size) for size in calibration.sizes])
    turns = nearest_rotations(np.linalg.inv(inner) @ calibration.homographies[0] @ own)
    down = turns[:, :, 1]
    agree = down @ down.T > 0.7
    # Of groups of equal size, the reference's.
    chosen = max(range(len(turns)), key=lambda camera: (agree[camera].sum(), camera == calibration.reference))
    return turns[agree[chosen]]


def _quarter_turns(turns: Float[np.ndarray, "m 3 3"], inner: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation of the plane about its middle, by quarter turns, that makes the cameras upright."""
    x, y = turns[:, :2, 1].mean(axis=0)
    across, down = [(0, 1), (1, 0), (0, -1), (-1, 0)][round(np.arctan2(x, y) / (np.pi / 2)) % 4]
    return inner @ np.array([[down, -across, 0], [across, down, 0], [0, 0, 1.0]]) @ np.linalg.inv(inner)


def _level(turns: Float[np.ndarray, "m 3 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation that makes the horizon level: it contains the cameras' x axes (Brown and Lowe, 2007, section 5)."""
    down = turns[:, :, 1].mean(axis=0)
    axes = turns[:, :, 0]
    values, vectors = np.linalg.eigh(axes.T @ axes)
    if values[1] > 0.05 * values[2] and abs(vectors[:, 0] @ down) > 0.7 * np.linalg.norm(down):
        down = vectors[:, 0] * np.sign(vectors[:, 0] @ down)
    down = down / np.linalg.norm(down)
    ahead = turns[:, :, 2].mean(axis=0)
    ahead = ahead - down * (ahead @ down)
    ahead = ahead / np.linalg.norm(ahead)
    return np.stack([np.cross(down, ahead), down, ahead])
