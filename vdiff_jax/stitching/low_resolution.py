"""The cameras on a reduced canvas: small enough to compare them, choose seams and spread differences every frame."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.stitching.projection import Canvas, cover, view

_BLOCK = 32


class Reduction:
    """Takes frames to every `step`-th pixel of the canvas, averaging what lies between.

    Attributes:
      grid: (height, width) in cells, multiples of 32, of which the last may lie outside the canvas.
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
        """Args: tables: by which each camera's values are exchanged (`cv2.LUT`); None leaves them."""
        self._views = [view(canvas, each, size, step=step) for each, size in zip(homographies, sizes)]
        small = cover(canvas, self._views, step=step)
        # Few shapes: each one is compiled for anew.
        self.grid = tuple(-(-cells // _BLOCK) * _BLOCK for cells in small.shape[1:])
        extra = [grid - have for grid, have in zip(self.grid, small.shape[1:])]
        self.seen = np.pad(small, ((0, 0), (0, extra[0]), (0, extra[1])))
        self._sizes = [(max(1, round(width / step)), max(1, round(height / step))) for width, height in sizes]
        self._tables = [None] * len(sizes) if tables is None else tables
        self._maps = []
        for each, small_size, size in zip(self._views, self._sizes, sizes):
            scaled = [
                (where + 0.5) * np.float32(small / full) - np.float32(0.5)
                for where, small, full in zip(each.where, small_size, size)
            ]
            self._maps.append(cv2.convertMaps(*scaled, cv2.CV_16SC2))

    def __call__(self, frames: Sequence[UInt8[np.ndarray, "_h _w 3"] | None]) -> Float[np.ndarray, "n h w 3"]:
        """The frames of one moment, code values; 0 where a camera sees nothing or is missing (None)."""
        result = np.zeros((len(frames), *self.grid, 3), np.float32)
        for index, frame in enumerate(frames):
            if frame is not None:
                self._draw(result[index], index, frame)
        return result

    def one(self, index: int, frame: UInt8[np.ndarray, "_h _w 3"]) -> Float[np.ndarray, "h w 3"]:
        """The same for one camera alone."""
        result = np.zeros((*self.grid, 3), np.float32)
        self._draw(result, index, frame)
        return result

    def _draw(self, result: Float[np.ndarray, "h w 3"], index: int, frame: UInt8[np.ndarray, "_h _w 3"]) -> None:
        each = self._views[index]
        small = cv2.resize(frame, self._sizes[index], interpolation=cv2.INTER_AREA)
        if self._tables[index] is not None:
            small = cv2.LUT(small, self._tables[index])
        moved = cv2.remap(small, *self._maps[index], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        left, top, right, bottom = each.box
        result[top:bottom, left:right] = moved * each.seen[..., None]
