"""Another size for a video's planes, on the host."""

import functools

import numpy as np
from jaxtyping import Float, Int

from vdiff_jax.pixels import PixelFormat
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
        samples = plane.astype(np.float32)
        for axis in zip(plane.shape, size, ratios, shifts):
            samples = along_rows(samples, *cubic(*axis)).T
        made.append(np.clip(np.rint(samples), 0, pixels.peak).astype(pixels.dtype))
    return tuple(made)


def along_rows(
    plane: Float[np.ndarray, "old w"], places: Int[np.ndarray, "new k"], weights: Float[np.ndarray, "new k"]
) -> Float[np.ndarray, "new w"]:
    """Rows that are sums of others: tap by tap, which needs no threads, as a matmul's do."""
    taps = zip(places.T, weights.T)
    return functools.reduce(np.add, (plane[place] * weight[:, None] for place, weight in taps))


@functools.lru_cache(maxsize=64)
def cubic(
    old: int, new: int, ratio: float, shift: float
) -> tuple[Int[np.ndarray, "new k"], Float[np.ndarray, "new k"]]:
    """The antialiased bicubic filter (Keys, a = -0.5) along one axis, which goes on beyond its ends as it is there.

    Args:
      old, new: how many samples there are, and are made.
      ratio: new samples for an old one.
      shift: where the old grid begins in the new one, in new samples.

    Returns:
      Which samples each of the new ones is made of, and how much it takes of each.
    """
    wide = max(1.0, 1 / ratio)
    reach = int(np.ceil(2 * wide))
    centres = (np.arange(new) + 0.5 - shift) / ratio - 0.5
    taps = np.floor(centres)[:, None] + np.arange(-reach, reach + 1)
    x = np.abs(taps - centres[:, None]) / wide
    weights = np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((2.5 - 0.5 * x) * x - 4) * x + 2, 0))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.clip(taps, 0, old - 1).astype(int), weights.astype(np.float32)
