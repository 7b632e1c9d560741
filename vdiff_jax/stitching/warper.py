"""Warps cameras onto the canvas: where each pixel comes from, which pixels a camera sees, the largest crop."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.canvas import Canvas, forward, outline, to_surface

_FEW_MOMENTS = 16  # up to here coverage over time is computed for each pixel
_COARSE_STEP = 4  # pixels: the cell size for coverage over more moments


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraWarp:
    """The warp of one camera onto a box of the canvas.

    Attributes:
      box: left, top, right, bottom on the canvas, pixels; right and bottom are exclusive.
      maps: where each pixel of the box comes from, in OpenCV's fixed-point format for `cv2.remap`.
      coordinates: the same as floats: camera pixels x and y, h w each.
      seen: the pixels of the box that the camera sees.
      shift: (rows, columns) from the box to the camera if the warp only shifts by whole pixels; None otherwise.
    """

    box: tuple[int, int, int, int]
    maps: tuple[np.ndarray, np.ndarray]
    coordinates: tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]
    seen: Bool[np.ndarray, "h w"]
    shift: tuple[int, int] | None


def warp_camera(
    canvas: Canvas, homography: Float[np.ndarray, "3 3"], size: tuple[int, int], *, step: int = 1, strict: bool = False
) -> CameraWarp:
    """Returns the warp of a camera onto the canvas or onto a reduced one.

    Args:
      canvas: the full canvas.
      homography: camera pixels → pixels of the reference's plane.
      size: the camera's (width, height) at full size.
      step: canvas pixels per cell; cell n stands for pixels n·step to n·step + step - 1.
      strict: a cell counts as seen if its middle is seen; by default, if any part may be.
    """
    wide, high = -(-canvas.width // step), -(-canvas.height // step)
    edge = to_surface(canvas, homography, outline(size)) - canvas.origin
    low = np.maximum(np.floor(edge.min(axis=0) / step).astype(int), 0)
    high_end = np.minimum(np.ceil(edge.max(axis=0) / step).astype(int) + 1, [wide, high])
    columns, rows = (np.arange(first, last) * step + (step - 1) / 2 for first, last in zip(low, high_end))
    across, down = _grid_from_surface(canvas, homography, columns + canvas.origin[0], rows + canvas.origin[1])
    slack = 0.02 if step == 1 or strict else 0.5 * step
    seen = (across >= -slack) & (across <= size[0] - 1 + slack) & (down >= -slack) & (down <= size[1] - 1 + slack)
    maps = cv2.convertMaps(across, down, cv2.CV_16SC2)
    return CameraWarp(
        box=(int(low[0]), int(low[1]), int(high_end[0]), int(high_end[1])), maps=maps,
        coordinates=(across, down), seen=seen, shift=_shift(canvas, homography, low) if step == 1 else None,
    )  # fmt: skip


def _shift(canvas: Canvas, homography: np.ndarray, low: np.ndarray) -> tuple[int, int] | None:
    """(rows, columns) from the box to the camera if the warp only shifts by whole pixels; None otherwise."""
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
    """The camera's x and y, float32, for each point of a grid of surface coordinates; -1e4 behind the camera.

    On either surface, a point's ray is the sum of one term for its column and one for its row.
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


def coverage(canvas: Canvas, warps: Sequence[CameraWarp], *, step: int = 1) -> Bool[np.ndarray, "n h w"]:
    """Returns which camera sees which pixel of the canvas, or which cell of `step` pixels."""
    result = np.zeros((len(warps), -(-canvas.height // step), -(-canvas.width // step)), bool)
    for index, each in enumerate(warps):
        left, top, right, bottom = each.box
        result[index, top:bottom, left:right] = each.seen
    return result


def always_covered(canvas: Canvas, calibration: Calibration) -> Bool[np.ndarray, "h w"]:
    """Returns the pixels that some camera sees at every key moment; over more than 16 moments, to within 4 pixels."""
    step = 1 if len(calibration.homographies) <= _FEW_MOMENTS else _COARSE_STEP
    result = np.ones((-(-canvas.height // step), -(-canvas.width // step)), bool)
    for homographies in calibration.homographies:
        warps = [
            warp_camera(canvas, each, size, step=step, strict=True)
            for each, size in zip(homographies, calibration.sizes)
        ]
        seen = coverage(canvas, warps, step=step)
        if step > 1:
            # Cells at a camera's edge may be seen only in part; they do not count.
            seen = np.stack([cv2.erode(each.astype(np.uint8), np.ones((3, 3)), borderValue=0) > 0 for each in seen])
        result &= seen.any(axis=0)
    return np.kron(result, np.ones((step, step), bool))[: canvas.height, : canvas.width]


def largest_rectangle(covered: Bool[np.ndarray, "h w"]) -> tuple[int, int, int, int]:
    """Returns left, top, right, bottom of the largest rectangle of covered pixels, with even width and height."""
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
