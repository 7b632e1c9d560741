"""The samples of a frame's planes: their grids, units and rounding, and which of them a mask covers."""

import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.pixels import Frame, PixelFormat


def bounding_box(mask: Bool[np.ndarray, "h w"], margin: int) -> tuple[slice, slice] | None:
    """The rows and columns of everything the mask covers, plus a margin in pixels; `None` for an empty mask."""
    sides = []
    for line in (mask.any(axis=1), mask.any(axis=0)):
        inside = np.flatnonzero(line)
        if not len(inside):
            return None
        sides.append(slice(max(0, int(inside[0]) - margin), int(inside[-1]) + 1 + margin))
    return sides[0], sides[1]


def plane_groups(pixels: PixelFormat) -> list[tuple[tuple[int, int], tuple[int, ...]]]:
    """The planes by size: pixels that a sample stands for, (y, x), and the numbers of the planes; without alpha."""
    if pixels.kind == "rgb":
        return [((1, 1), (0, 1, 2))]
    if pixels.kind == "gray":
        return [((1, 1), (0,))]
    x, y = pixels.subsampling
    return [((1, 1), (0, 1, 2))] if (x, y) == (1, 1) else [((1, 1), (0,)), ((y, x), (1, 2))]


def mask_at_scale(mask: Bool[np.ndarray, "h w"], scale: tuple[int, int]) -> Bool[np.ndarray, "h2 w2"]:
    """The mask on a subsampled plane: True where it covers any of the `scale` pixels, (y, x), of a sample."""
    if scale == (1, 1):
        return mask
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % scale[0]), (0, -width % scale[1])))
    return padded.reshape(-(-height // scale[0]), scale[0], -(-width // scale[1]), scale[1]).any(axis=(1, 3))


def peak_sample(plane: np.ndarray, pixels: PixelFormat) -> float:
    """The sample value that stands for 1 in a full-range plane; 1 for floats."""
    return 1.0 if np.issubdtype(plane.dtype, np.floating) else float(pixels.peak)


def normalised_step(plane: np.ndarray, pixels: PixelFormat) -> float:
    """The step between two sample values, in [0, 1], as if the plane were full-range: exact enough for errors."""
    return 1.0 / peak_sample(plane, pixels)


def to_samples(values: np.ndarray, dtype: np.dtype, pixels: PixelFormat) -> np.ndarray:
    """Values in samples as the plane's type: integers are rounded and clipped."""
    if not np.issubdtype(dtype, np.floating):
        values = np.rint(values)
        np.clip(values, 0, pixels.peak, out=values)
    return values.astype(dtype)


def luma_of(frame: Frame, pixels: PixelFormat) -> Float[np.ndarray, "h w"]:
    """Luma, or green, in about [0, 1] (limited range is not stretched): enough to find motion and cuts."""
    plane = frame.planes[1 if pixels.kind == "rgb" else 0]
    if np.issubdtype(plane.dtype, np.floating):
        return np.asarray(plane, np.float32)
    return plane.astype(np.float32) / np.float32(pixels.peak)
