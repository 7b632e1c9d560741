"""The properties of a video besides its pixels, and the rotation of planes."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar

import numpy as np

from vdiff_jax.pixels import PixelFormat

Seconds = float | int | Fraction
FrameType = TypeVar("FrameType")


@dataclass(frozen=True, kw_only=True)
class ColourTags:
    """FFmpeg's numbers for the colour tags of a file. Unspecified is 2, and 0 for the range."""

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    range: int = 0


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """A video's properties.

    Attributes:
        path: the file, folder or glob; None where there is none (stdin, arrays).
        width, height: as stored, before rotation.
        pixels: the format of its frames.
        rate: average frames per second.
        time_base: seconds per unit of `Frame.pts`.
        frames: how many, counted in the file or estimated; None if unknown.
        duration: in seconds; None if unknown.
        rotation: clockwise degrees by which a player turns the stored picture: 0, 90, 180 or 270.
        display_matrix: FFmpeg's 9 numbers that say the same, and whether it is mirrored; None if there are none.
        sample_aspect: width to height of a pixel; None if unspecified.
        tags: colour tags, which are written unchanged.
        codec: FFmpeg's name of the codec.
        has_audio: whether the file has a sound track.
        chroma_location: FFmpeg's name of where the chroma samples of 4:2:0 lie; empty if unknown.
        interlaced: whether one of the first frames is stored as two fields.
        field_order: FFmpeg's number of the order of fields; 0 if unknown.
        mastering_display, content_light: HDR10's static metadata, as `fidelity.hdr_metadata` returns it.
        unsupported_side_data: names of the first frames' side data that no output keeps.
        start, stop: seconds in the file's own time: where pts 0 lies, and where reading ends (None: at the end).
        audio_lead: seconds of sound before pts 0 that belong to the video.
    """

    path: str | None = None
    width: int
    height: int
    pixels: PixelFormat
    rate: Fraction = Fraction(25)
    time_base: Fraction = Fraction(1, 25)
    frames: int | None = None
    duration: float | None = None
    rotation: int = 0
    display_matrix: tuple[int, ...] | None = None
    sample_aspect: Fraction | None = None
    tags: ColourTags = field(default_factory=ColourTags)
    codec: str = ""
    has_audio: bool = False
    chroma_location: str = ""
    interlaced: bool = False
    field_order: int = 0
    mastering_display: tuple[Fraction, ...] | None = None
    content_light: tuple[int, int] | None = None
    unsupported_side_data: tuple[str, ...] = ()
    start: Fraction = Fraction(0)
    stop: Fraction | None = None
    audio_lead: Fraction = Fraction(0)

    @property
    def frame_bytes(self) -> int:
        """The size of one frame's planes in bytes."""
        return self.pixels.frame_bytes(self.width, self.height)

    @property
    def all_pixels(self) -> int | None:
        """Pixels of all frames together; None if the number of frames is unknown."""
        return None if self.frames is None else self.frames * self.width * self.height

    @property
    def displayed_size(self) -> tuple[int, int]:
        """(width, height) after rotation."""
        return (self.height, self.width) if self.rotation in (90, 270) else (self.width, self.height)


def rates_differ(first: Fraction, second: Fraction) -> bool:
    """Whether two rates differ by more than 0.5 %; 30 and 29.97 frames per second, often mixed up, count as equal."""
    return abs(first / second - 1) > Fraction(1, 200)


def rotation_of(matrix: Iterable[int] | None) -> int:
    """The rotation of a display matrix in clockwise degrees: 0, 90, 180 or 270."""
    if matrix is None:
        return 0
    a, b, *_ = matrix
    return round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360


def turn(plane: np.ndarray, matrix: tuple[int, ...] | None) -> np.ndarray:
    """A plane (`h w` or `h w c`) as a player shows it: rotated by right angles and mirrored, as the matrix says."""
    if matrix is None:
        return plane
    a, b, _, c, d, *_ = matrix
    if abs(a) >= abs(b):
        return plane[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return plane.swapaxes(0, 1)[:: -1 if b < 0 else 1, :: -1 if c < 0 else 1]


def turn_back(plane: np.ndarray, matrix: tuple[int, ...] | None) -> np.ndarray:
    """The inverse of `turn`."""
    if matrix is None:
        return plane
    a, b, _, c, *_ = matrix
    if abs(a) >= abs(b):
        return turn(plane, matrix)
    return plane[:: -1 if b < 0 else 1, :: -1 if c < 0 else 1].swapaxes(0, 1)


def rotated_subsampling(info: VideoInfo) -> tuple[int, int]:
    """The chroma subsampling of the video after its rotation is applied to the planes."""
    x, y = info.pixels.subsampling
    return (y, x) if info.rotation in (90, 270) else (x, y)


def rotated(info: VideoInfo) -> VideoInfo:
    """The properties of the video after its rotation is applied to the planes."""
    width, height = info.displayed_size
    aspect = info.sample_aspect
    return replace(
        info,
        width=width,
        height=height,
        pixels=replace(info.pixels, subsampling=rotated_subsampling(info)),
        sample_aspect=1 / aspect if aspect and info.rotation in (90, 270) else aspect,
        rotation=0,
        display_matrix=None,
        chroma_location="",
    )


def each_once(frames: list[FrameType]) -> Iterator[FrameType]:
    """The frames; none stays in memory once the next one is asked for."""
    while frames:
        yield frames.pop(0)
