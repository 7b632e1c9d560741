"""Pixel formats and frames: the planes of a video as they are stored, never converted on the way in."""

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
