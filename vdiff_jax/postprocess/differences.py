"""A plane's samples and their neighbours in space, in strips of rows: sums, second differences, limited differences."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.stream.samples import peak_sample

REACH_IN_SPACE = 3
"""Rows and columns around a sample that its neighbours may be taken from."""

Planes = list[Float[np.ndarray, "_ _"]]


def integer_scale(plane: np.ndarray, pixels: PixelFormat) -> Float[np.ndarray, "h w"]:
    """A plane as floats on the scale of integer samples, 0 to `pixels.peak`."""
    values, scale = plane.astype(np.float32), pixels.peak / peak_sample(plane, pixels)
    return values if scale == 1 else values * np.float32(scale)


class Around:
    """Some rows of a plane, or of its difference to another, and the neighbours of their samples."""

    def __init__(self, plane: np.ndarray, rows: slice, pixels: PixelFormat, *, minus: np.ndarray | None = None):
        self._shape = rows.stop - rows.start, plane.shape[1]
        seen = slice(max(rows.start - REACH_IN_SPACE, 0), min(rows.stop + REACH_IN_SPACE, len(plane)))
        values = integer_scale(plane[seen], pixels)
        if minus is not None:
            values -= integer_scale(minus[seen], pixels)
        above, below = REACH_IN_SPACE - (rows.start - seen.start), REACH_IN_SPACE - (seen.stop - rows.stop)
        self._padded = cv2.copyMakeBorder(values, above, below, REACH_IN_SPACE, REACH_IN_SPACE, cv2.BORDER_REPLICATE)

    def _from(self, y: int, x: int) -> Float[np.ndarray, "r c"]:
        """The samples from a row and a column on, which are counted from the first ones that were asked for."""
        return self._padded[REACH_IN_SPACE + y :, REACH_IN_SPACE + x :]

    def _shifted(self, y: int, x: int) -> Float[np.ndarray, "h w"]:
        height, width = self._shape
        return self._from(y, x)[:height, :width]

    def sample(self) -> Float[np.ndarray, "h w"]:
        """The samples themselves."""
        return self._shifted(0, 0)

    def sums(self, offsets: Sequence[tuple[int, int]]) -> Planes:
        """For each offset the sum of both opposite neighbours."""
        return [self._shifted(y, x) + self._shifted(-y, -x) for y, x in offsets]

    def second_differences(self, offsets: Sequence[tuple[int, int]]) -> Planes:
        """For each offset the sum of both opposite neighbours minus twice the sample."""
        twice = 2 * self.sample()
        return [np.subtract(total, twice, out=total) for total in self.sums(offsets)]

    def limited_differences(self, offsets: Sequence[tuple[int, int]], half: float) -> Planes:
        """For each offset the sum of both opposite neighbours' differences d, limited to d / (1 + (d / half)²)."""
        (height, width), scale = self._shape, np.float32(max(half, 1e-3))

        def limited(y: int, x: int) -> np.ndarray:
            # The difference to the neighbour before a sample is that neighbour's difference to the sample, negated.
            above, left = max(y, 0), max(x, 0)
            rows, columns = height + abs(y), width + abs(x)
            here, there = self._from(-above, -left), self._from(y - above, x - left)
            difference = there[:rows, :columns] - here[:rows, :columns]
            by = difference / scale
            by *= by
            by += 1
            kept = np.divide(difference, by, out=by)
            own, before = kept[above:, left:], kept[above - y :, left - x :]
            return own[:height, :width] - before[:height, :width]

        return [limited(y, x) for y, x in offsets]
