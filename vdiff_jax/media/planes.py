"""Copies samples between PyAV frames and planes, without conversion."""

import re
from collections.abc import Sequence

import av
import numpy as np

from vdiff_jax.pixels import Matrix, PixelFormat

# FFmpeg's AVColorSpace, AVColorRange: 2 is unspecified for the first, 0 for the second.
MATRIX_OF_TAG: dict[int, Matrix] = {
    1: "bt709",
    7: "bt709",
    4: "bt601",
    5: "bt601",
    6: "bt601",
    9: "bt2020",
    10: "bt2020",
}
TAG_OF_MATRIX: dict[Matrix, int] = {"bt709": 1, "bt601": 6, "bt2020": 9}
RANGE_LIMITED, RANGE_FULL = 1, 2


def pixel_format(fmt: av.VideoFormat, *, matrix_tag: int = 2, range_tag: int = 0, height: int) -> PixelFormat:
    """The planar format that holds every sample of FFmpeg's `fmt` unchanged. Float samples become 16 bits.

    Where the file does not specify the matrix, it is BT.601 below 720 lines and BT.709 otherwise, as players assume.
    """
    kind, bits, subsampling, alpha = _layout(fmt)
    matrix = MATRIX_OF_TAG.get(matrix_tag, "bt601" if height < 720 else "bt709")
    full = {"rgb": True, "gray": range_tag != RANGE_LIMITED, "yuv": range_tag == RANGE_FULL}[kind]
    return PixelFormat(
        kind=kind,
        bits=bits,
        subsampling=subsampling,
        full_range=full,
        matrix=matrix,
        alpha=alpha,  # type: ignore
    )


def _layout(fmt: av.VideoFormat) -> tuple[str, int, tuple[int, int], bool]:
    """The kind, bits, subsampling and alpha of a `PixelFormat`."""
    components = fmt.components
    bits = max(c.bits for c in components)
    bits = 16 if bits > 14 or re.search(r"f(16|32)[lb]e$", fmt.name) else max(bits, 8)
    alpha = any(c.is_alpha for c in components) and not fmt.has_palette
    if fmt.is_rgb or fmt.has_palette or fmt.is_bayer or len(components) == 2 or fmt.name.startswith("xyz"):
        if bits in (9, 11, 13):
            bits += 1
        return "rgb", bits, (1, 1), alpha
    if len(components) == 1:
        return "gray", bits, (1, 1), False
    sized = av.VideoFormat(fmt.name, 64, 64)
    return "yuv", bits, (64 // sized.chroma_width(), 64 // sized.chroma_height()), alpha


def planes_of(frame: av.VideoFrame, pixels: PixelFormat) -> tuple[np.ndarray, ...]:
    """A decoded frame's planes, copied. Where FFmpeg's format is packed, swscale reorders the bytes."""
    if frame.format.name.replace("yuvj", "yuv") != pixels.name:
        frame = frame.reformat(format=pixels.name)
    planes = [_view(plane, pixels.dtype).copy() for plane in frame.planes]
    return _rgb_order(planes) if pixels.kind == "rgb" else tuple(planes)


def frame_of(planes: tuple[np.ndarray, ...], pixels: PixelFormat) -> av.VideoFrame:
    """Planes as a frame that FFmpeg can encode; the inverse of `planes_of`."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixels.name)
    ordered = _gbr_order(planes) if pixels.kind == "rgb" else planes
    for plane, samples in zip(frame.planes, ordered, strict=True):
        _view(plane, pixels.dtype)[:] = samples
    return frame


def _view(plane: av.video.plane.VideoPlane, dtype: type) -> np.ndarray:
    """A plane's samples without the padding at each line's end. A plane stored upside down is flipped."""
    line = abs(plane.line_size) // np.dtype(dtype).itemsize
    rows = np.frombuffer(plane, dtype).reshape(plane.height, line)[:, : plane.width]
    return rows[::-1] if plane.line_size < 0 else rows


def _rgb_order(planes: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    green, blue, red, *alpha = planes
    return (red, green, blue, *alpha)


def _gbr_order(planes: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    red, green, blue, *alpha = planes
    return (green, blue, red, *alpha)
