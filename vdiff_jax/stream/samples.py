"""Samples of a frame's planes: their grids, units, rounding, and which of them a mask covers."""

import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.pixels import Frame, PixelFormat


def box_of(mask: Bool[np.ndarray, "h w"], margin: int) -> tuple[slice, slice] | None:
    """The rows and columns that hold all that the mask covers, and a margin; `None` for a mask of nothing."""
    sides = []
    for line in (mask.any(axis=1), mask.any(axis=0)):
        covered = np.flatnonzero(line)
        if not len(covered):
            return None
        sides.append(slice(max(0, int(covered[0]) - margin), int(covered[-1]) + 1 + margin))
    return sides[0], sides[1]


def grids_of(pixels: PixelFormat) -> list[tuple[tuple[int, int], tuple[int, ...]]]:
    """Pixels that a sample stands for (y, x), and the numbers of the planes that it does so in; alpha is left out."""
    if pixels.kind == "rgb":
        return [((1, 1), (0, 1, 2))]
    if pixels.kind == "gray":
        return [((1, 1), (0,))]
    x, y = pixels.subsampling
    return [((1, 1), (0, 1, 2))] if (x, y) == (1, 1) else [((1, 1), (0,)), ((y, x), (1, 2))]


def covered(mask: Bool[np.ndarray, "h w"], scale: tuple[int, int]) -> Bool[np.ndarray, "h2 w2"]:
    """Where a mask covers any of the pixels that a sample stands for."""
    if scale == (1, 1):
        return mask
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % scale[0]), (0, -width % scale[1])))
    return padded.reshape(-(-height // scale[0]), scale[0], -(-width // scale[1]), scale[1]).any(axis=(1, 3))


def unit(plane: np.ndarray, pixels: PixelFormat) -> float:
    """What a sample's step is in levels, as far as a guess's error is concerned."""
    return 1.0 if np.issubdtype(plane.dtype, np.floating) else 1.0 / pixels.peak


def rounded(values: np.ndarray, dtype: np.dtype, pixels: PixelFormat) -> np.ndarray:
    """As samples of this type."""
    if not np.issubdtype(dtype, np.floating):
        values = np.clip(np.rint(values), 0, pixels.peak)
    return values.astype(dtype)


def luma_of(frame: Frame, pixels: PixelFormat) -> Float[np.ndarray, "h w"]:
    """Luma, or green, in about [0, 1]: motion and cuts need no more."""
    plane = frame.planes[1 if pixels.kind == "rgb" else 0]
    if np.issubdtype(plane.dtype, np.floating):
        return np.asarray(plane, np.float32)
    return plane.astype(np.float32) / np.float32(pixels.peak)
