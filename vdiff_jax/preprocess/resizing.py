"""Another size for a video's planes, on the host."""

import functools

import numpy as np
from jaxtyping import Float

from vdiff_jax.media.pixels import PixelFormat
from vdiff_jax.preprocess.planes import chroma_scale, chroma_shift

Shape = tuple[int, int]
"""Height and width."""


def resized_planes(planes: tuple[np.ndarray, ...], pixels: PixelFormat, shape: Shape) -> tuple[np.ndarray, ...]:
    """Planes in another size, by the antialiased bicubic filter; chroma stays where it lies on luma."""
    if planes[0].shape == shape:
        return planes
    ratios = [new / old for new, old in zip(shape, planes[0].shape)]
    made = []
    for index, (plane, size) in enumerate(zip(planes, pixels.plane_shapes(shape[1], shape[0]))):
        shifts = (0.0, 0.0)
        if pixels.kind == "yuv" and index in (1, 2):
            # Where chroma's corner lies on luma, before and after.
            corner = zip(chroma_shift(pixels), ratios, chroma_scale(pixels))
            shifts = tuple(s * (r - 1) / c for s, r, c in corner)
        down, across = (cubic(*axis) for axis in zip(plane.shape, size, ratios, shifts))
        samples = down @ plane.astype(np.float32) @ across.T
        made.append(np.clip(np.rint(samples), 0, pixels.peak).astype(pixels.dtype))
    return tuple(made)


@functools.lru_cache(maxsize=64)
def cubic(old: int, new: int, ratio: float, shift: float) -> Float[np.ndarray, "new old"]:
    """The antialiased bicubic filter (Keys, a = -0.5) along one axis, which goes on beyond its ends as it is there.

    Args:
      old, new: how many samples there are, and are made.
      ratio: new samples for an old one.
      shift: where the old grid begins in the new one, in new samples.
    """
    wide = max(1.0, 1 / ratio)
    reach = int(np.ceil(2 * wide))
    centres = (np.arange(new) + 0.5 - shift) / ratio - 0.5
    taps = np.floor(centres)[:, None] + np.arange(-reach, reach + 1)
    x = np.abs(taps - centres[:, None]) / wide
    weights = np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))
    matrix = np.zeros((new, old))
    np.add.at(matrix, (np.arange(new)[:, None], np.clip(taps, 0, old - 1).astype(int)), weights)
    return (matrix / weights.sum(axis=1, keepdims=True)).astype(np.float32)
