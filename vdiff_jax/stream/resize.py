"""Resizes a video's planes on the host, in one thread."""

import functools

import numpy as np
from jaxtyping import Float, Int

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.preprocess.planes import chroma_scale, chroma_shift

Shape = tuple[int, int]
"""Height and width."""


def resized_planes(planes: tuple[np.ndarray, ...], pixels: PixelFormat, shape: Shape) -> tuple[np.ndarray, ...]:
    """Planes in another size, by the antialiased bicubic filter; chroma keeps its siting on luma.

    Args:
      planes: samples in the pixel format `pixels`; floats are neither clipped nor rounded.
      pixels: the pixel format of both.
      shape: the new height and width of luma.
    """
    if planes[0].shape == shape:
        return planes
    ratios = [new / old for new, old in zip(shape, planes[0].shape)]
    made = []
    for index, (plane, size) in enumerate(zip(planes, pixels.plane_shapes(shape[1], shape[0]))):
        shifts = (0.0, 0.0)
        if pixels.kind == "yuv" and index in (1, 2):
            # The offset of chroma's corner from luma's changes with the size.
            corner = zip(chroma_shift(pixels), ratios, chroma_scale(pixels))
            shifts = tuple(s * (r - 1) / c for s, r, c in corner)
        samples = plane.astype(np.float32)
        for axis in zip(plane.shape, size, ratios, shifts):
            samples = along_rows(samples, *cubic(*axis)).T
        whole = np.issubdtype(plane.dtype, np.integer)
        made.append((np.clip(np.rint(samples), 0, pixels.peak) if whole else samples).astype(plane.dtype))
    return tuple(made)


def along_rows(
    plane: Float[np.ndarray, "old w"], places: Int[np.ndarray, "new k"], weights: Float[np.ndarray, "new k"]
) -> Float[np.ndarray, "new w"]:
    """Weighted sums of rows, tap by tap: a matrix product would start threads.

    Args:
      plane: the rows.
      places: the rows that each new one is a sum of.
      weights: their weights.
    """
    taps = zip(places.T, weights.T)
    return functools.reduce(np.add, (plane[place] * weight[:, None] for place, weight in taps))


@functools.lru_cache(maxsize=64)
def cubic(
    old: int, new: int, ratio: float, shift: float
) -> tuple[Int[np.ndarray, "new k"], Float[np.ndarray, "new k"]]:
    """The antialiased bicubic filter (Keys, a = -0.5) along one axis; the ends are repeated outside.

    Args:
      old, new: the number of samples before and after.
      ratio: new samples for an old one.
      shift: where the old grid begins in the new one, in new samples.

    Returns:
      The old samples that each new one is a sum of, and their weights.
    """
    wide = max(1.0, 1 / ratio)
    reach = int(np.ceil(2 * wide))
    centres = (np.arange(new) + 0.5 - shift) / ratio - 0.5
    taps = np.floor(centres)[:, None] + np.arange(-reach, reach + 1)
    x = np.abs(taps - centres[:, None]) / wide
    weights = np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(taps, 0, old - 1).astype(int), weights.astype(np.float32)
