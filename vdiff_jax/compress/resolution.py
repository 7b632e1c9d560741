"""The sizes that a track may have, and the ways there and back."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from vdiff_jax.media import VideoInfo
from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.planes import chroma_scale, chroma_shift

Shape = tuple[int, int]
"""Height and width."""

_SHARES = (Fraction(4, 5), Fraction(2, 3), Fraction(1, 2))
_SMALLEST = 64
"""The least side; encoders refuse less."""
_BT709 = 1
"""FFmpeg's number of the matrix."""


def smaller_shapes(info: VideoInfo) -> list[Shape]:
    """Those that a track may have instead of its video's; none where its lines are of two fields."""
    shapes = [(_even(info.height * share), _even(info.width * share)) for share in _SHARES]
    return [shape for shape in shapes if min(shape) >= _SMALLEST and not info.interlaced]


def in_shape(info: VideoInfo, shape: Shape) -> VideoInfo:
    """The properties of the video in another size; the matrix that its size lets players assume is named."""
    tags = info.tags
    if tags.matrix == 2 and info.pixels.kind == "yuv" and info.height >= 720 > shape[0]:
        tags = dataclasses.replace(tags, matrix=_BT709)
    return dataclasses.replace(info, height=shape[0], width=shape[1], tags=tags)


def resized(frames: Iterable[Frame], pixels: PixelFormat, shape: Shape) -> Iterator[Frame]:
    """Frames in another size, by the antialiased bicubic filter; chroma stays where it lies on luma."""
    for frame in frames:
        if frame.planes[0].shape == shape:
            yield frame
        else:
            yield dataclasses.replace(frame, planes=_planes(frame.planes, pixels, shape))


def _planes(planes: tuple[np.ndarray, ...], pixels: PixelFormat, shape: Shape) -> tuple[np.ndarray, ...]:
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


def _even(side: Fraction) -> int:
    return 2 * round(side / 2)
