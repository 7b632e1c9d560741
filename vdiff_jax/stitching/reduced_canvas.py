"""The cameras on a reduced canvas, on which they are compared and seams are chosen at every frame."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.canvas import Canvas, plan_canvas
from vdiff_jax.stitching.warper import coverage, warp_camera

_BLOCK = 32  # cells


class ReducedCanvas:
    """Warps frames onto a canvas of one cell for `step` × `step` pixels, averaging over each cell.

    Attributes:
      grid: (height, width) in cells, rounded up to multiples of 32.
      seen: n h w, which camera sees which cell.
    """

    def __init__(
        self,
        canvas: Canvas,
        homographies: Float[np.ndarray, "n 3 3"],
        sizes: Sequence[tuple[int, int]],
        step: int,
        tables: Sequence[UInt8[np.ndarray, "1 256 3"] | None] | None = None,
    ):
        """Prepares the warps; `tables` has the lookup table for each camera's gains (`cv2.LUT`), None for none."""
        self._warps = [warp_camera(canvas, each, size, step=step) for each, size in zip(homographies, sizes)]
        small = coverage(canvas, self._warps, step=step)
        # Sizes are rounded up so that few shapes occur: JAX compiles once for each shape.
        self.grid = tuple(-(-cells // _BLOCK) * _BLOCK for cells in small.shape[1:])
        extra = [grid - have for grid, have in zip(self.grid, small.shape[1:])]
        self.seen = np.pad(small, ((0, 0), (0, extra[0]), (0, extra[1])))
        self._sizes = [(max(1, round(width / step)), max(1, round(height / step))) for width, height in sizes]
        self._tables = [None] * len(sizes) if tables is None else tables
        self._maps = []
        for each, small_size, size in zip(self._warps, self._sizes, sizes):
            scaled = [
                (axis + 0.5) * np.float32(small / full) - np.float32(0.5)
                for axis, small, full in zip(each.coordinates, small_size, size)
            ]
            self._maps.append(cv2.convertMaps(*scaled, cv2.CV_16SC2))

    def __call__(self, frames: Sequence[UInt8[np.ndarray, "_h _w 3"] | None]) -> Float[np.ndarray, "n h w 3"]:
        """Returns one moment's frames on the grid, code values; 0 where a camera sees nothing or is missing (None)."""
        result = np.zeros((len(frames), *self.grid, 3), np.float32)
        for index, frame in enumerate(frames):
            if frame is not None:
                self._draw(result[index], index, frame)
        return result

    def one_camera(self, index: int, frame: UInt8[np.ndarray, "_h _w 3"]) -> Float[np.ndarray, "h w 3"]:
        """Returns one frame of camera `index` on the grid."""
        result = np.zeros((*self.grid, 3), np.float32)
        self._draw(result, index, frame)
        return result

    def _draw(self, result: Float[np.ndarray, "h w 3"], index: int, frame: UInt8[np.ndarray, "_h _w 3"]) -> None:
        each = self._warps[index]
        small = cv2.resize(frame, self._sizes[index], interpolation=cv2.INTER_AREA)
        if self._tables[index] is not None:
            small = cv2.LUT(small, self._tables[index])
        moved = cv2.remap(small, *self._maps[index], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        left, top, right, bottom = each.box
        result[top:bottom, left:right] = moved * each.seen[..., None]


def reduced_canvases(calibration: Calibration, cells: int) -> Callable[[float], ReducedCanvas]:
    """Returns a function from seconds on the first input's clock to the reduced canvas of about `cells` cells."""
    canvas = plan_canvas(calibration)
    step = max(2, int(np.ceil((canvas.width * canvas.height / cells) ** 0.5)))

    def at(time: float) -> ReducedCanvas:
        return ReducedCanvas(canvas, calibration.at(time), calibration.sizes, step)

    if len(calibration.times) > 1:
        return at
    constant = at(0.0)
    return lambda _: constant
