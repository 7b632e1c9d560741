"""Pixel formats and frames: the planes of a video as they are stored."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

Matrix = Literal["bt601", "bt709", "bt2020"]
LUMA_WEIGHTS: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
"""(Kr, Kb): the weights of red and blue in luma, by ITU-R BT.601-7, BT.709-6, BT.2020-2 (non-constant luminance)."""
SUBSAMPLING_NAMES = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (1, 2): "440", (4, 1): "411", (4, 4): "410"}


@dataclass(frozen=True, kw_only=True)
class PixelFormat:
    """The format of a frame's planes.

    Attributes:
        kind: `yuv` (planes Y, Cb, Cr), `rgb` (R, G, B) or `gray` (Y); alpha, if any, is the last plane.
        bits: bits of a sample; above 8 they are the low bits of uint16.
        subsampling: how many luma samples share a chroma sample, (x, y): (2, 2) is 4:2:0.
        full_range: samples span 0 to 2^bits - 1 instead of 16 to 235 (chroma 240) times 2^(bits - 8).
        matrix: the matrix between Y'CbCr and R'G'B'.
        alpha: whether there is a plane of opacity.
    """

    kind: Literal["yuv", "rgb", "gray"]
    bits: int = 8
    subsampling: tuple[int, int] = (1, 1)
    full_range: bool = False
    matrix: Matrix = "bt709"
    alpha: bool = False

    @property
    def name(self) -> str:
        """FFmpeg's name of the format: yuv420p, yuva444p10le, gbrp, gray12le, ..."""
        depth = "" if self.bits == 8 else f"{self.bits}le"
        if self.kind == "gray":
            return f"gray{depth}"
        if self.kind == "rgb":
            return f"gbr{'a' if self.alpha else ''}p{depth}"
        return f"yuv{'a' if self.alpha else ''}{SUBSAMPLING_NAMES[self.subsampling]}p{depth}"

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """The type of the planes' samples."""
        return np.uint8 if self.bits == 8 else np.uint16

    @property
    def peak(self) -> int:
        """The largest value of a sample."""
        return (1 << self.bits) - 1

    @property
    def channels(self) -> int:
        """The number of planes, including alpha."""
        return (1 if self.kind == "gray" else 3) + self.alpha

    def plane_shapes(self, width: int, height: int) -> tuple[tuple[int, int], ...]:
        """The (height, width) of each plane. Chroma's size is rounded up; alpha has luma's size."""
        x, y = self.subsampling
        chroma = (-(-height // y), -(-width // x))
        return tuple(chroma if self.kind == "yuv" and i in (1, 2) else (height, width) for i in range(self.channels))

    def frame_bytes(self, width: int, height: int) -> int:
        """The size of one frame's planes in bytes."""
        return sum(h * w for h, w in self.plane_shapes(width, height)) * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class Frame:
    """One picture of a video.

    Attributes:
        planes: `h w` each, uint8 or uint16: Y, Cb, Cr or R, G, B or Y, then alpha if there is any.
        pts: when it is shown, in the video's time base; 0 is the start of the video, or of the part that is read.
        duration: how long it is shown, in the same unit; None if the file does not say.
        quantiser: how coarsely it was coded, on its codec's scale (see `media.quantisers`); None if unknown.
        starts_shot: whether a restored frame is the first of its shot.
        given: the planes that a restored frame was made from; empty for other frames.
    """

    planes: tuple[np.ndarray, ...]
    pts: int | Fraction
    duration: int | None = None
    quantiser: float | None = None
    starts_shot: bool = False
    given: tuple[np.ndarray, ...] = ()
