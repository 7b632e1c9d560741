"""Conversion between pixel formats in NumPy, exact to rounding, for outputs that cannot hold the input's format.

Sources: ITU-R BT.601, BT.709, BT.2020 (matrices); BT.2100 table 9 (narrow and full range).
"""

import numpy as np

from vdiff_jax.pixels import LUMA_WEIGHTS, PixelFormat

Planes = tuple[np.ndarray, ...]


def to_rgb(planes: Planes, pixels: PixelFormat) -> np.ndarray:
    """R'G'B' (`h w 3`, or `h w 4` with alpha), float32 in [0, 1], not clipped. Gray gives equal channels."""
    luma_or_rgb = [_normalised(plane, pixels) for plane in planes[: 3 if pixels.kind == "rgb" else 1]]
    if pixels.kind == "gray":
        channels = luma_or_rgb * 3
    elif pixels.kind == "rgb":
        channels = luma_or_rgb
    else:
        height, width = planes[0].shape
        centred = pixels.full_range
        chroma = [
            upsample_chroma(_normalised(plane, pixels, chroma=True), (height, width), pixels.subsampling, centred)
            for plane in planes[1:3]
        ]
        channels = _matrix_to_rgb(luma_or_rgb[0], chroma[0], chroma[1], pixels)
    if pixels.alpha:
        channels = [*channels, planes[-1].astype(np.float32) / pixels.peak]
    return np.stack(channels, axis=-1)


def from_rgb(rgb: np.ndarray, pixels: PixelFormat) -> Planes:
    """Planes in the format `pixels` from R'G'B' (`h w 3` or `h w 4`, float in [0, 1]), clipped and rounded."""
    red, green, blue = (rgb[..., i].astype(np.float32) for i in range(3))
    alpha = ()
    if pixels.alpha:
        opacity = rgb[..., 3] if rgb.shape[-1] == 4 else np.ones_like(red)
        alpha = (np.clip(np.rint(opacity * pixels.peak), 0, pixels.peak).astype(pixels.dtype),)
    if pixels.kind == "rgb":
        return (*(_samples(c, pixels) for c in (red, green, blue)), *alpha)
    weight_r, weight_b = LUMA_WEIGHTS[pixels.matrix]
    luma = weight_r * red + (1 - weight_r - weight_b) * green + weight_b * blue
    if pixels.kind == "gray":
        return (_samples(luma, pixels), *alpha)
    chroma = ((blue - luma) / (2 * (1 - weight_b)), (red - luma) / (2 * (1 - weight_r)))
    small = (downsample_chroma(c, pixels.subsampling, pixels.full_range) for c in chroma)
    return (_samples(luma, pixels), *(_samples(c, pixels, chroma=True) for c in small), *alpha)


def convert(planes: Planes, source: PixelFormat, target: PixelFormat) -> Planes:
    """The same picture in another format. Luma stays unchanged where only chroma's size or alpha differs."""
    if source == target:
        return planes
    same_colours = source.full_range == target.full_range and source.matrix == target.matrix
    if source.kind != target.kind or (source.kind == "yuv" and not same_colours):
        return _through_rgb(planes, source, target)
    height, width = planes[0].shape
    converted = []
    for i, plane in enumerate(planes[: 1 if source.kind == "gray" else 3]):
        chroma = source.kind == "yuv" and i > 0
        values = _normalised(plane, source, chroma=chroma)
        if chroma and source.subsampling != target.subsampling:
            values = upsample_chroma(values, (height, width), source.subsampling, source.full_range)
            values = downsample_chroma(values, target.subsampling, target.full_range)
        converted.append(_samples(values, target, chroma=chroma))
    return (*converted, *_alpha(planes, source, target))


def _through_rgb(planes: Planes, source: PixelFormat, target: PixelFormat) -> Planes:
    if source.kind == "gray" and target.kind == "yuv":
        luma = _samples(_normalised(planes[0], source), target)
        neutral = [
            np.full(shape, 1 << (target.bits - 1), target.dtype)
            for shape in target.plane_shapes(luma.shape[1], luma.shape[0])[1:3]
        ]
        return (luma, *neutral, *_alpha(planes, source, target))
    if source.kind == "yuv" and target.kind == "gray":
        return (_samples(_normalised(planes[0], source), target), *_alpha(planes, source, target))
    return from_rgb(to_rgb(planes, source), target)


def _alpha(planes: Planes, source: PixelFormat, target: PixelFormat) -> Planes:
    if not target.alpha:
        return ()
    if not source.alpha:
        return (np.full(planes[0].shape, target.peak, target.dtype),)
    opacity = planes[-1].astype(np.float32) / source.peak
    return (np.rint(opacity * target.peak).astype(target.dtype),)


def _normalised(plane: np.ndarray, pixels: PixelFormat, *, chroma: bool = False) -> np.ndarray:
    """Samples as float32: luma, R, G and B in [0, 1], chroma in [-0.5, 0.5]."""
    offset, span = _range(pixels, chroma)
    return (plane.astype(np.float32) - offset) / np.float32(span)


def _samples(values: np.ndarray, pixels: PixelFormat, *, chroma: bool = False) -> np.ndarray:
    """The inverse of `_normalised`, clipped and rounded."""
    offset, span = _range(pixels, chroma)
    return np.clip(np.rint(values * np.float32(span) + offset), 0, pixels.peak).astype(pixels.dtype)


def _range(pixels: PixelFormat, chroma: bool) -> tuple[int, int]:
    """The sample that stands for 0, and how many samples make 1."""
    unit = 1 << (pixels.bits - 8)
    middle = 128 * unit
    if pixels.full_range or pixels.kind == "rgb":
        return (middle if chroma else 0), pixels.peak
    return (middle, 224 * unit) if chroma else (16 * unit, 219 * unit)


def _matrix_to_rgb(luma: np.ndarray, cb: np.ndarray, cr: np.ndarray, pixels: PixelFormat) -> list[np.ndarray]:
    weight_r, weight_b = LUMA_WEIGHTS[pixels.matrix]
    red = luma + 2 * (1 - weight_r) * cr
    blue = luma + 2 * (1 - weight_b) * cb
    green = (luma - weight_r * red - weight_b * blue) / (1 - weight_r - weight_b)
    return [red, green, blue]


def upsample_chroma(
    chroma: np.ndarray, size: tuple[int, int], subsampling: tuple[int, int], centred: bool
) -> np.ndarray:
    """Chroma (h w) at luma's size (height, width), linearly interpolated.

    A chroma sample of video sits on a luma column and between two lines (MPEG-2's siting). In a full-range picture
    (JPEG, `centred`) it sits between columns too.
    """
    for axis, factor in ((0, subsampling[1]), (1, subsampling[0])):
        if factor > 1:
            offset = (factor - 1) / 2 if centred or axis == 0 else 0.0
            at = (np.arange(size[axis], dtype=np.float32) - offset) / factor
            low = np.floor(at).astype(int)
            weight = (at - low).astype(np.float32)
            weight = weight[:, None] if axis == 0 else weight[None, :]
            last = chroma.shape[axis] - 1
            before = chroma.take(np.clip(low, 0, last), axis)
            chroma = before + weight * (chroma.take(np.clip(low + 1, 0, last), axis) - before)
    return chroma


def downsample_chroma(chroma: np.ndarray, subsampling: tuple[int, int], centred: bool) -> np.ndarray:
    """Luma-sized chroma (h w), low-passed and reduced at the siting of `upsample_chroma`; sizes round up."""
    for axis, factor in ((0, subsampling[1]), (1, subsampling[0])):
        if factor > 1:
            between = centred or axis == 0
            taps = range(factor) if between else range(1 - factor, factor)
            weights = [1 / factor if between else (factor - abs(tap)) / factor**2 for tap in taps]
            starts = np.arange(0, chroma.shape[axis], factor)
            last = chroma.shape[axis] - 1
            samples = [chroma.take(np.clip(starts + tap, 0, last), axis) for tap in taps]
            chroma = np.tensordot(np.array(weights, np.float32), np.stack(samples), axes=1)
    return chroma
