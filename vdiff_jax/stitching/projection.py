"""The canvas: a plane or a cylinder, where each camera lands on it, and the maps that take it there."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.errors import StitchError
from vdiff_jax.stitching.bundle_adjustment import intrinsic, nearest_rotations
from vdiff_jax.stitching.calibration import Calibration

WIDEST_PLANE = 100.0  # degrees: past that a plane stretches the sides more than three-fold
_LARGEST = 12  # canvas pixels per camera pixel
_LONGEST = 16384
_FEW = 16  # moments for which coverage is computed for each pixel
_COARSE = 4  # pixels for which it is computed together otherwise


@dataclasses.dataclass(frozen=True, kw_only=True)
class View:
    """One camera's part of the canvas.

    Attributes:
      box: left, top, right, bottom on the canvas, pixels, the right and bottom ones excluded.
      maps: where each of its pixels comes from, in OpenCV's fixed point (`cv2.remap`).
      where: the same as floats: camera pixels x and y, h w each.
      seen: the pixels that the camera sees.
      shift: (rows, columns) from the box's pixels to the camera's where these are the very same; None otherwise.
    """

    box: tuple[int, int, int, int]
    maps: tuple[np.ndarray, np.ndarray]
    where: tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]
    seen: Bool[np.ndarray, "h w"]
    shift: tuple[int, int] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Canvas:
    """Where the panorama is drawn.

    Attributes:
      kind: "planar" or "cylindrical".
      width: in pixels, even.
      height: in pixels, even.
      origin: the surface coordinates (x, y) of the canvas's top left pixel.
      focal: the cylinder's radius in pixels (unused on a plane).
      level: 3 3, the rotation from the reference camera's axes to the cylinder's.
      inner: 3 3, the reference camera's matrix.
      upright: 3 3, the plane's pixels turned by quarters, so that most cameras stand on their feet (planes only).
    """

    kind: str
    width: int
    height: int
    origin: tuple[int, int]
    focal: float
    level: Float[np.ndarray, "3 3"]
    inner: Float[np.ndarray, "3 3"]
    upright: Float[np.ndarray, "3 3"]


def plan(calibration: Calibration, *, kind: str = "auto") -> Canvas:
    """Chooses the surface (a plane up to 100 degrees, a cylinder beyond) and the canvas that holds every camera.

    Raises:
      StitchError: the canvas would be absurdly large, as from a homography that is wrong.
    """
    inner = intrinsic(calibration.focal, calibration.sizes[calibration.reference])
    turns = _upright(calibration, inner)
    level = _level(turns)
    if kind == "auto":
        kind = "planar" if _fits_plane(calibration, inner) else "cylindrical"
    still = Canvas(
        kind=kind, width=0, height=0, origin=(0, 0), focal=calibration.focal, level=level, inner=inner,
        upright=_quarters(turns, inner),
    )  # fmt: skip
    points = np.concatenate(
        [
            to_surface(still, homography, _outline(size))
            for homographies in calibration.homographies
            for homography, size in zip(homographies, calibration.sizes)
        ]
    )
    left, top = np.floor(points.min(axis=0) + 1e-6)
    right, bottom = np.ceil(points.max(axis=0) - 1e-6)
    width, height = right - left + 1, bottom - top + 1
    area = sum(width * height for width, height in calibration.sizes)
    if not width * height < _LARGEST * area or max(width, height) > _LONGEST:
        raise StitchError(
            f"the {kind} canvas would be {width:.0f}×{height:.0f} pixels: the inputs' geometry is wrong or too wide "
            "(parallax, too little overlap); leave out the input that overlaps least"
        )
    even = (int(width) + int(width) % 2, int(height) + int(height) % 2)
    return dataclasses.replace(still, width=even[0], height=even[1], origin=(int(left), int(top)))


def view(
    canvas: Canvas, homography: Float[np.ndarray, "3 3"], size: tuple[int, int], *, step: int = 1, strict: bool = False
) -> View:
    """Where a camera lands on the canvas, or on one of every `step`-th pixel (then `homography`, `size` as ever).

    Args:
      homography: camera pixels → pixels of the reference's plane.
      size: the camera's (width, height).
      step: the canvas's pixels per sample; sample n stands for pixels n·step to n·step + step - 1.
      strict: a sample is seen if its middle is, not if a part of it may be.
    """
    wide, high = -(-canvas.width // step), -(-canvas.height // step)
    outline = to_surface(canvas, homography, _outline(size)) - canvas.origin
    low = np.maximum(np.floor(outline.min(axis=0) / step).astype(int), 0)
    high_end = np.minimum(np.ceil(outline.max(axis=0) / step).astype(int) + 1, [wide, high])
    columns, rows = (np.arange(first, last) * step + (step - 1) / 2 for first, last in zip(low, high_end))
    across, down = _grid_from_surface(canvas, homography, columns + canvas.origin[0], rows + canvas.origin[1])
    slack = 0.02 if step == 1 or strict else 0.5 * step
    seen = (across >= -slack) & (across <= size[0] - 1 + slack) & (down >= -slack) & (down <= size[1] - 1 + slack)
    maps = cv2.convertMaps(across, down, cv2.CV_16SC2)
    return View(
        box=(int(low[0]), int(low[1]), int(high_end[0]), int(high_end[1])), maps=maps, where=(across, down), seen=seen,
        shift=_shift(canvas, homography, low) if step == 1 else None,
    )  # fmt: skip


def _shift(canvas: Canvas, homography: np.ndarray, low: np.ndarray) -> tuple[int, int] | None:
    """By how many rows and columns the box's pixels are moved to the camera's, if that is all."""
    moved = canvas.upright @ homography / homography[2, 2]
    by = np.rint(moved[:2, 2])
    if canvas.kind != "planar" or np.abs(moved - [[1, 0, by[0]], [0, 1, by[1]], [0, 0, 1]]).max() > 1e-9:
        return None
    across, down = (low + canvas.origin - by).astype(int)
    return int(down), int(across)


def _grid_from_surface(
    canvas: Canvas,
    homography: Float[np.ndarray, "3 3"],
    columns: Float[np.ndarray, " w"],
    rows: Float[np.ndarray, " h"],
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """The camera's x and y, float32, that each point of a grid of surface coordinates shows; -1e4 behind the camera.

    Either surface's ray is a part that depends on the column plus a part that depends on the row.
    """
    ones = np.ones_like
    if canvas.kind == "planar":
        matrix = np.linalg.inv(canvas.upright)
        along, down = np.stack([columns, 0 * columns, ones(columns)]), np.stack([0 * rows, rows, 0 * rows])
    else:
        matrix = canvas.inner @ canvas.level.T
        angle = columns / canvas.focal
        along = np.stack([np.sin(angle), 0 * angle, np.cos(angle)])
        down = np.stack([0 * rows, rows / canvas.focal, 0 * rows])
    matrix = np.linalg.inv(forward(homography)) @ matrix
    along, down = matrix @ along, matrix @ down
    x, y, depth = (along[axis].astype(np.float32) + down[axis].astype(np.float32)[:, None] for axis in range(3))
    ahead = depth > 1e-9
    share = 1 / np.where(ahead, depth, 1)
    return tuple(np.where(ahead, each * share, np.float32(-1e4)).clip(-1e4, 3e4) for each in (x, y))


def to_canvas(canvas: Canvas, homography: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The homography camera → canvas pixels (to the reference's plane on a cylinder, which no homography reaches)."""
    if canvas.kind != "planar":
        return homography / homography[2, 2]
    moved = np.array([[1.0, 0, -canvas.origin[0]], [0, 1, -canvas.origin[1]], [0, 0, 1]]) @ canvas.upright @ homography
    return moved / moved[2, 2]


def forward(homography: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The multiple of a homography that gives what lies before the camera a positive depth."""
    return homography * np.sign(np.linalg.det(homography))


def inside(covered: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int]:
    """The largest upright rectangle of covered pixels: left, top, right, bottom, of even width and height."""
    height, width = covered.shape
    runs = np.zeros(width, int)
    best, box = 0, (0, 0, 0, 0)
    for row in range(height):
        runs = np.where(covered[row], runs + 1, 0)
        area, found = _largest_under(runs)
        if area > best:
            best, box = area, (found[0], row + 1 - found[2], found[1], row + 1)
    left, top, right, bottom = box
    return left, top, right - (right - left) % 2, bottom - (bottom - top) % 2


def _largest_under(runs: np.ndarray) -> tuple[int, tuple[int, int, int]]:
    """The largest rectangle under a histogram: its area, and left, right, height."""
    stack: list[tuple[int, int]] = []
    best, found = 0, (0, 0, 0)
    for column, run in enumerate([*runs.tolist(), 0]):
        start = column
        while stack and stack[-1][1] >= run:
            start, height = stack.pop()
            if height * (column - start) > best:
                best, found = height * (column - start), (start, column, height)
        stack.append((start, run))
    return best, found


def _outline(size: tuple[int, int]) -> Float[np.ndarray, "n 2"]:
    width, height = size
    across, down = np.linspace(0, width - 1, 33), np.linspace(0, height - 1, 33)
    sides = [np.stack([across, np.full(33, value)], axis=1) for value in (0.0, height - 1.0)]
    sides += [np.stack([np.full(33, value), down], axis=1) for value in (0.0, width - 1.0)]
    return np.concatenate(sides)


def to_surface(canvas: Canvas, homography: np.ndarray, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Where a camera's pixels lie on the surface, before the canvas's origin is taken off."""
    plane = np.concatenate([points, np.ones((len(points), 1))], axis=1) @ forward(homography).T
    if canvas.kind == "planar":
        return plane @ canvas.upright[:2].T / np.maximum(plane[:, 2:], 1e-4)
    ray = plane @ (canvas.level @ np.linalg.inv(canvas.inner)).T
    radius = np.maximum(np.hypot(ray[:, 0], ray[:, 2]), 1e-9)
    return canvas.focal * np.stack([np.arctan2(ray[:, 0], ray[:, 2]), ray[:, 1] / radius], axis=1)


def _fits_plane(calibration: Calibration, inner: np.ndarray) -> bool:
    homographies = [forward(each) for frame in calibration.homographies for each in frame]
    sizes = list(calibration.sizes) * len(calibration.homographies)
    planes = [np.hstack([_outline(size), np.ones((132, 1))]) @ each.T for size, each in zip(sizes, homographies)]
    if min(plane[:, 2].min() for plane in planes) < 0.05:
        return False
    rays = np.concatenate(planes) @ np.linalg.inv(inner).T
    angle = np.degrees(np.arctan2(rays[:, 0], rays[:, 2]))
    return bool(angle.max() - angle.min() <= WIDEST_PLANE)


def _upright(calibration: Calibration, inner: np.ndarray) -> Float[np.ndarray, "m 3 3"]:
    """The rotations, camera → reference's axes, of the largest group of cameras that agree on where down is."""
    own = np.stack([intrinsic(calibration.focal, size) for size in calibration.sizes])
    turns = nearest_rotations(np.linalg.inv(inner) @ calibration.homographies[0] @ own)
    down = turns[:, :, 1]
    agree = down @ down.T > 0.7
    # Of groups of one size the reference's.
    chosen = max(range(len(turns)), key=lambda camera: (agree[camera].sum(), camera == calibration.reference))
    return turns[agree[chosen]]


def _quarters(turns: Float[np.ndarray, "m 3 3"], inner: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "3 3"]:
    """The turn of the plane about its middle, in quarters, that brings the cameras' down down."""
    x, y = turns[:, :2, 1].mean(axis=0)
    across, down = [(0, 1), (1, 0), (0, -1), (-1, 0)][round(np.arctan2(x, y) / (np.pi / 2)) % 4]
    return inner @ np.array([[down, -across, 0], [across, down, 0], [0, 0, 1.0]]) @ np.linalg.inv(inner)


def _level(turns: Float[np.ndarray, "m 3 3"]) -> Float[np.ndarray, "3 3"]:
    """The rotation that turns the horizon level: the cameras' x axes lie in it (Brown and Lowe, 2007, section 5)."""
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


def cover(canvas: Canvas, views: Sequence[View], *, step: int = 1) -> Bool[np.ndarray, "n h w"]:
    """Which camera sees which pixel of the canvas."""
    result = np.zeros((len(views), -(-canvas.height // step), -(-canvas.width // step)), bool)
    for index, each in enumerate(views):
        left, top, right, bottom = each.box
        result[index, top:bottom, left:right] = each.seen
    return result


def always_covered(canvas: Canvas, calibration: Calibration) -> Bool[np.ndarray, "h w"]:
    """The pixels of the canvas that some camera sees at every moment; of many moments, to a few pixels."""
    step = 1 if len(calibration.homographies) <= _FEW else _COARSE
    result = np.ones((-(-canvas.height // step), -(-canvas.width // step)), bool)
    for homographies in calibration.homographies:
        views = [
            view(canvas, each, size, step=step, strict=True) for each, size in zip(homographies, calibration.sizes)
        ]
        seen = cover(canvas, views, step=step)
        if step > 1:
            # Cells may be seen in part alone: those at a camera's edge are left out.
            seen = np.stack([cv2.erode(each.astype(np.uint8), np.ones((3, 3)), borderValue=0) > 0 for each in seen])
        result &= seen.any(axis=0)
    return np.kron(result, np.ones((step, step), bool))[: canvas.height, : canvas.width]
