"""The sizes that a track may have, and the ways there and back."""

import dataclasses
from collections.abc import Iterable, Iterator
from fractions import Fraction

import jax
import numpy as np

from vdiff_jax.media import VideoInfo
from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.planes import chroma_scale, chroma_shift
from vdiff_jax.preprocess.resample import resample

Shape = tuple[int, int]
"""Height and width."""

_SHARES = (Fraction(2, 3), Fraction(1, 2))
_SMALLEST = 32
_BT709 = 1
"""FFmpeg's number of the matrix."""
_RESAMPLE = jax.jit(resample, static_argnames=("size", "scale", "shift"))


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
    ratio = tuple(new / old for new, old in zip(shape, planes[0].shape))
    made = []
    for index, (plane, size) in enumerate(zip(planes, pixels.plane_shapes(shape[1], shape[0]))):
        shift = (0.0, 0.0)
        if pixels.kind == "yuv" and index in (1, 2):
            # Where chroma's corner lies on luma, before and after.
            corner = zip(chroma_shift(pixels), ratio, chroma_scale(pixels))
            shift = tuple(s * (r - 1) / c for s, r, c in corner)
        samples = _RESAMPLE(plane.astype(np.float32), size=size, scale=ratio, shift=shift)
        made.append(np.clip(np.rint(samples), 0, pixels.peak).astype(pixels.dtype))
    return tuple(made)


def _even(side: Fraction) -> int:
    return 2 * round(side / 2)
