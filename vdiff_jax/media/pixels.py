"""Pixel formats and frames: planes of a video as FFmpeg decodes them, never converted on the way in."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import numpy as np

Matrix = Literal["bt601", "bt709", "bt2020"]
SUBSAMPLING_NAMES = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (1, 2): "440", (4, 1): "411", (4, 4): "410"}
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


@dataclass(frozen=True, kw_only=True)
class PixelFormat:
    """What the planes of a frame mean.

    Attributes:
        kind: `yuv` (planes Y, Cb, Cr), `rgb` (R, G, B) or `gray` (Y); alpha, if any, is the last plane.
        bits: bits of a sample; above 8 the planes are uint16, low bits used.
        subsampling: by how much chroma is smaller, (x, y): (2, 2) is 4:2:0.
        full_range: samples span 0 to 2^bits - 1 instead of 16 to 235 (chroma 240), scaled to the depth.
        matrix: between Y'CbCr and R'G'B'.
        alpha: there is a plane of opacity.
    """

    kind: Literal["yuv", "rgb", "gray"]
    bits: int = 8
    subsampling: tuple[int, int] = (1, 1)
    full_range: bool = False
    matrix: Matrix = "bt709"
    alpha: bool = False

    @property
    def name(self) -> str:
        """FFmpeg's name of planes of this kind: yuv420p, yuva444p10le, gbrp, gray12le, ..."""
        depth = "" if self.bits == 8 else f"{self.bits}le"
        if self.kind == "gray":
            return f"gray{depth}"
        if self.kind == "rgb":
            return f"gbr{'a' if self.alpha else ''}p{depth}"
        return f"yuv{'a' if self.alpha else ''}{SUBSAMPLING_NAMES[self.subsampling]}p{depth}"

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        return np.uint8 if self.bits == 8 else np.uint16

    @property
    def peak(self) -> int:
        """The largest sample."""
        return (1 << self.bits) - 1

    @property
    def channels(self) -> int:
        """The number of planes, alpha included."""
        return (1 if self.kind == "gray" else 3) + self.alpha

    def plane_shapes(self, width: int, height: int) -> tuple[tuple[int, int], ...]:
        """Each plane's (h, w): chroma is rounded up, alpha is as large as luma."""
        x, y = self.subsampling
        chroma = (-(-height // y), -(-width // x))
        return tuple(chroma if self.kind == "yuv" and i in (1, 2) else (height, width) for i in range(self.channels))


@dataclass(frozen=True)
class Frame:
    """One picture of a video.

    Attributes:
        planes: h w each, uint8 or uint16; Y, Cb, Cr or R, G, B or Y; alpha last if there is any.
        pts: when it is shown, in the video's time base; 0 is the start of the video (or of the part that is read).
        duration: how long, in the same unit, where the file says it.
        quantiser: how coarsely it was coded, on its codec's scale (see `media.quantisers`), where the stream says it.
    """

    planes: tuple[np.ndarray, ...]
    pts: int | Fraction
    duration: int | None = None
    quantiser: float | None = None


def pixel_format(fmt: av.VideoFormat, *, matrix_tag: int = 2, range_tag: int = 0, height: int) -> PixelFormat:
    """The planar format that holds every sample of FFmpeg's `fmt` unchanged (floats: the nearest 16 bits).

    A matrix that the file leaves unspecified is BT.601 below 720 lines and BT.709 otherwise, as players assume.
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
    """A decoded frame's planes, copied out; swscale only reorders bytes where FFmpeg's format isn't planar."""
    if frame.format.name.replace("yuvj", "yuv") != pixels.name:
        frame = frame.reformat(format=pixels.name)
    planes = [_view(plane, pixels.dtype).copy() for plane in frame.planes]
    return tuple(_rgb_order(planes) if pixels.kind == "rgb" else planes)


def frame_of(planes: tuple[np.ndarray, ...], pixels: PixelFormat) -> av.VideoFrame:
    """The planes as a frame that FFmpeg can encode; the inverse of `planes_of`."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixels.name)
    ordered = _gbr_order(planes) if pixels.kind == "rgb" else planes
    for plane, samples in zip(frame.planes, ordered, strict=True):
        _view(plane, pixels.dtype)[:] = samples
    return frame


def _view(plane: av.video.plane.VideoPlane, dtype: type) -> np.ndarray:
    """A plane's samples without the padding at each line's end; the upside-down ones are turned."""
    line = abs(plane.line_size) // np.dtype(dtype).itemsize
    rows = np.frombuffer(plane, dtype).reshape(plane.height, line)[:, : plane.width]
    return rows[::-1] if plane.line_size < 0 else rows


def _rgb_order(planes):
    green, blue, red, *alpha = planes
    return (red, green, blue, *alpha)


def _gbr_order(planes):
    red, green, blue, *alpha = planes
    return (green, blue, red, *alpha)
