"""The sizes that a track may have, and the ways there and back."""

import dataclasses
from collections.abc import Iterable, Iterator
from fractions import Fraction

from vdiff_jax.compression.form import Form
from vdiff_jax.media import VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.resize import Shape, resized_planes

_SHARES = (Fraction(4, 5), Fraction(2, 3), Fraction(1, 2))
_SMALLEST = 64
"""The least side; encoders refuse less."""
_BT709 = 1
"""FFmpeg's number of the matrix."""


def smaller_forms(info: VideoInfo) -> list[Form]:
    """The sizes that a track may have instead of its video's; none where its lines are of two fields."""
    shapes = [(_even(info.height * share), _even(info.width * share)) for share in _SHARES]
    return [Form(shape) for shape in shapes if min(shape) >= _SMALLEST and not info.interlaced]


def in_shape(info: VideoInfo, shape: Shape) -> VideoInfo:
    """The properties of the video in another size; the matrix that its size lets players assume is named."""
    tags = info.tags
    if tags.matrix == 2 and info.pixels.kind == "yuv" and info.height >= 720 > shape[0]:
        tags = dataclasses.replace(tags, matrix=_BT709)
    return dataclasses.replace(info, height=shape[0], width=shape[1], tags=tags)


def in_form(info: VideoInfo, form: Form) -> VideoInfo:
    """The properties of a track of this form."""
    info = in_shape(info, form.shape)
    return dataclasses.replace(info, rate=info.rate / 2) if form.halved else info


def resized(frames: Iterable[Frame], pixels: PixelFormat, shape: Shape) -> Iterator[Frame]:
    """Frames in another size, by the antialiased bicubic filter; chroma stays where it lies on luma."""
    for frame in frames:
        if frame.planes[0].shape == shape:
            yield frame
        else:
            yield dataclasses.replace(frame, planes=resized_planes(frame.planes, pixels, shape))


def _even(side: Fraction) -> int:
    return 2 * round(side / 2)
