"""An encoded track, and its variant: the size and the frames of the source that it keeps."""

import dataclasses
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from vdiff_jax.media import VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.resize import Shape, resized_planes

_SCALES = (Fraction(4, 5), Fraction(2, 3), Fraction(1, 2))
_SMALLEST_SIDE = 64
"""In pixels; the encoders refuse smaller pictures."""
_UNKNOWN_MATRIX, _BT709 = 2, 1
"""FFmpeg's numbers of Y'CbCr matrices."""
_HD_HEIGHT = 720
"""Players assume BT.709 from this height on, and BT.601 below, where the file names no matrix."""


class Variant(NamedTuple):
    """What a track keeps of its source.

    Attributes:
      shape: height and width.
      half_rate: whether it keeps only every second frame, and the last one.
    """

    shape: Shape
    half_rate: bool = False

    def kept_frames(self, frames: range, count: int) -> list[int]:
        """Which of these frame numbers the track keeps; `count` is the number of frames of the whole video."""
        return [n for n in frames if not self.half_rate or n % 2 == 0 or n == count - 1]

    def kept_part(self, part: slice) -> slice:
        """A part of a window, counted in the frames that the track keeps; the window starts at an even frame."""
        return slice(part.start // 2, part.stop // 2) if self.half_rate and part.start is not None else part

    def info(self, source: VideoInfo) -> VideoInfo:
        """The properties of such a track of this source."""
        info = resized_info(source, self.shape)
        return dataclasses.replace(info, rate=info.rate / 2) if self.half_rate else info

    def as_report(self) -> dict[str, Any]:
        """As JSON."""
        return {"width": self.shape[1], "height": self.shape[0], "every_second_frame": self.half_rate}


class Track(NamedTuple):
    """An encoded track.

    Attributes:
      path: its file.
      crf: the crf it was encoded with.
      variant: what it keeps of its source.
      size: its bytes.
      times: pts and duration of all the source's frames, those that it leaves out too.
      seconds: its length.
    """

    path: Path
    crf: float
    variant: Variant
    size: int
    times: list[tuple[int, int | None]]
    seconds: float

    @property
    def rate(self) -> float:
        """Bits per second."""
        return 8 * self.size / self.seconds


def smaller_variants(info: VideoInfo) -> list[Variant]:
    """The smaller sizes that a track of this video may have; none for interlaced video, whose fields would mix."""
    shapes = [(_even(info.height * scale), _even(info.width * scale)) for scale in _SCALES]
    return [Variant(shape) for shape in shapes if min(shape) >= _SMALLEST_SIDE and not info.interlaced]


def resized_info(info: VideoInfo, shape: Shape) -> VideoInfo:
    """The video's properties in another size; BT.709 is named if the new size would suggest another matrix."""
    tags = info.tags
    if tags.matrix == _UNKNOWN_MATRIX and info.pixels.kind == "yuv" and info.height >= _HD_HEIGHT > shape[0]:
        tags = dataclasses.replace(tags, matrix=_BT709)
    return dataclasses.replace(info, height=shape[0], width=shape[1], tags=tags)


def resize_frames(frames: Iterable[Frame], pixels: PixelFormat, shape: Shape) -> Iterator[Frame]:
    """Frames in another size, by the antialiased bicubic filter; chroma keeps its position relative to luma."""
    for frame in frames:
        yield dataclasses.replace(frame, planes=resized_planes(frame.planes, pixels, shape))


def every_second(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Every second frame and the last one, each with a duration that lasts until the next."""
    kept: Frame | None = None
    skipped: Frame | None = None
    for index, frame in enumerate(frames):
        if index % 2:
            skipped = frame
            continue
        if kept is not None:
            yield dataclasses.replace(kept, duration=frame.pts - kept.pts)
        kept, skipped = frame, None
    if kept is not None and skipped is not None:
        yield dataclasses.replace(kept, duration=skipped.pts - kept.pts)
        kept = skipped
    if kept is not None:
        yield kept


def _even(side: Fraction) -> int:
    return 2 * round(side / 2)
