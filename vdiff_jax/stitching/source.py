"""Inputs as streams of RGB frames with time stamps, from files or arrays, and RGB frames back as video frames."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.errors import ClipError, StitchError
from vdiff_jax.media import ColourTags, Frame, PixelFormat, VideoInfo, open_reader
from vdiff_jax.media.colour import from_rgb, to_rgb
from vdiff_jax.media.video import turn
from vdiff_jax.pixels import LUMA_WEIGHTS

RGB = UInt8[np.ndarray, "_h _w 3"]
LUMA = np.array([0.299, 0.587, 0.114])
"""BT.601's weights of R, G, B, for comparing frames and for summing up a gain in one number."""


@runtime_checkable
class Source(Protocol):
    """One input; each call of `frames` reads it from the start.

    Attributes:
      name: the input's name in error messages.
      size: (width, height) as displayed.
      rate: frames per second.
      count: the number of frames; None if it is unknown before reading.
      aspect: width to height of a pixel as displayed.
      lead: seconds from the start of the file to its first frame.
    """

    name: str
    size: tuple[int, int]
    rate: float
    count: int | None
    aspect: Fraction
    lead: float

    def frames(self) -> Iterator[tuple[float, RGB]]:
        """Yields each frame with its time in seconds."""
        ...


class ArraySource:
    """A clip in memory: t h w 3, uint8, or float in [0, 1]."""

    def __init__(self, clip: np.ndarray, name: str, rate: float):
        clip = np.asarray(clip)
        if clip.ndim != 4 or clip.shape[-1] != 3 or 0 in clip.shape:
            raise ClipError(f"{name} has shape {clip.shape}: pass t h w 3")
        if not (clip.dtype == np.uint8 or np.issubdtype(clip.dtype, np.floating)):
            raise ClipError(f"{name} has dtype {clip.dtype}: pass uint8, or float in [0, 1]")
        self.name, self.rate, self._clip = name, float(rate), clip
        self.size, self.count, self.aspect, self.lead = (clip.shape[2], clip.shape[1]), len(clip), Fraction(1), 0.0

    def frames(self) -> Iterator[tuple[float, RGB]]:
        """Yields each frame with its time in seconds."""
        for index, frame in enumerate(self._clip):
            yield index / self.rate, to_uint8(frame, self.name)


class FileSource:
    """A video file, a picture, or a folder or glob of pictures."""

    def __init__(self, path: str | os.PathLike, name: str):
        self.name, self.path = name, path
        with open_reader(path) as reader:
            self.info = reader.info
            self.lead = float(next(iter(reader)).pts * reader.info.time_base)
        self.size, self.rate, self.count = self.info.displayed_size, float(self.info.rate), self.info.frames
        aspect = self.info.sample_aspect or Fraction(1)
        self.aspect = 1 / aspect if self.info.rotation in (90, 270) else aspect
        self._warns = True  # of what the film loses, once

    def frames(self) -> Iterator[tuple[float, RGB]]:
        """Yields each frame, turned upright, with its time stamp in seconds."""
        with open_reader(self.path, written=self._warns) as reader:
            self._warns = False
            for frame in reader:
                rgb = turn(planes_to_rgb(frame.planes, reader.info.pixels), reader.info.display_matrix)
                yield float(frame.pts * reader.info.time_base), np.ascontiguousarray(rgb)


def open_sources(inputs: Sequence, rates: Sequence[float] | None = None) -> list[Source]:
    """Opens the inputs.

    Args:
      inputs: paths, or clips t h w 3, uint8 or float in [0, 1].
      rates: frames per second, one for each input; files keep their own, and the default for clips is 25.

    Raises:
      StitchError: the number of rates differs from the number of inputs.
      ClipError: a clip has another shape or dtype.
      VdiffError: a file cannot be read.
    """
    if rates is not None and len(rates) != len(inputs):
        raise StitchError(f"{len(rates)} rates for {len(inputs)} inputs: pass one rate for each input")
    result: list[Source] = []
    for index, each in enumerate(inputs):
        if isinstance(each, str | os.PathLike):
            result.append(FileSource(each, f"input {index + 1} ({os.path.basename(os.fspath(each))})"))
        else:
            result.append(ArraySource(each, f"input {index + 1}", rates[index] if rates is not None else 25.0))
    return result


def to_uint8(frame: np.ndarray, name: str = "the clip") -> RGB:
    """Returns a frame as uint8; float frames are in [0, 1].

    Raises:
      ClipError: a float frame has values that are not finite or lie outside [-0.01, 1.01].
    """
    if frame.dtype == np.uint8:
        return np.ascontiguousarray(frame)
    if not np.isfinite(frame).all() or frame.min() < -0.01 or frame.max() > 1.01:
        raise ClipError(f"{name} has values outside [0, 1]: scale it, or pass uint8")
    return np.rint(frame.clip(0, 1) * 255).astype(np.uint8)


def planes_to_rgb(planes: Sequence[np.ndarray], pixels: PixelFormat) -> RGB:
    """Converts a decoded frame to RGB; 8-bit Y'CbCr goes through OpenCV's integer arithmetic, which is faster."""
    if pixels.kind != "yuv" or pixels.bits != 8 or pixels.subsampling not in ((1, 1), (2, 1), (2, 2)):
        return np.rint(to_rgb(tuple(planes), pixels)[..., :3].clip(0, 1) * 255).astype(np.uint8)
    height, width = planes[0].shape
    across, down = pixels.subsampling
    centred = pixels.full_range
    # The position of chroma between the luma samples, as in media.colour.
    shift = ((1 / across - 1) / 2 if centred else 0.0, (1 / down - 1) / 2)
    place = np.array([[1 / across, 0, shift[0]], [0, 1 / down, shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    chroma = [
        plane if across == down == 1
        else cv2.warpAffine(plane, place, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        for plane in planes[1:3]
    ]  # fmt: skip
    return cv2.transform(cv2.merge([planes[0], *chroma]), _rgb_matrix(pixels))


def _rgb_matrix(pixels: PixelFormat) -> Float[np.ndarray, "3 4"]:
    """The affine map from Y'CbCr code values to RGB code values."""
    red, blue = LUMA_WEIGHTS[pixels.matrix]
    green = 1 - red - blue
    luma, chroma, black = (1.0, 1.0, 0.0) if pixels.full_range else (255 / 219, 255 / 224, 16.0)
    cb, cr = 2 * (1 - blue) * chroma, 2 * (1 - red) * chroma
    matrix = np.array([[luma, 0, cr], [luma, -blue / green * cb, -red / green * cr], [luma, cb, 0]])
    return np.hstack([matrix, -matrix @ np.array([[black], [128], [128]])])


def rgb_to_planes(frame: RGB, pixels: PixelFormat) -> tuple[np.ndarray, ...]:
    """Converts an RGB frame to planes for the encoder; the inverse of `planes_to_rgb`."""
    if pixels.kind != "yuv" or pixels.bits != 8 or pixels.subsampling != (2, 2) or pixels.alpha:
        return from_rgb(frame.astype(np.float32) / 255, pixels)
    matrix = _rgb_matrix(pixels)
    inverse = np.linalg.inv(matrix[:, :3])
    luma, *chroma = cv2.split(cv2.transform(frame, np.hstack([inverse, -inverse @ matrix[:, 3:]])))
    taps = np.array([[0.5, 0.5]]) if pixels.full_range else np.array([[0.25, 0.5, 0.25]])
    anchor = (0, 0) if pixels.full_range else (1, 0)
    kernel = np.repeat(taps / 2, 2, axis=0)
    small = [
        np.ascontiguousarray(cv2.filter2D(each, -1, kernel, anchor=anchor, borderType=cv2.BORDER_REPLICATE)[::2, ::2])
        for each in chroma
    ]
    return (luma, *small)


def output_info(sources: Sequence[Source], size: tuple[int, int], rate: float) -> VideoInfo:
    """Describes the output for a writer: like the first source, but with another size (width, height) and rate.

    It has colours if one of the sources has; then pixel format and colour tags are those of the first one with colours.
    """
    source = sources[0]
    exact = Fraction(rate).limit_denominator(1001)
    if isinstance(source, FileSource):
        info = source.info
        if info.pixels.kind == "gray" and (coloured := next(filter(_has_colours, sources), None)):
            other = coloured.info if isinstance(coloured, FileSource) else _info_of_clips()
            info = dataclasses.replace(
                info, pixels=other.pixels, tags=other.tags, chroma_location=other.chroma_location
            )
        if abs(float(info.rate) - rate) < 1e-6:
            exact = info.rate
    else:
        info = _info_of_clips()
    return dataclasses.replace(
        info, path=None, width=size[0], height=size[1], rate=exact, time_base=1 / exact, frames=None, duration=None,
        rotation=0, display_matrix=None, stop=None, codec="", sample_aspect=info.sample_aspect and source.aspect,
        unsupported_side_data=(),
        pixels=dataclasses.replace(info.pixels, alpha=False), interlaced=False,
    )  # fmt: skip


def _info_of_clips() -> VideoInfo:
    """The pixel format and the colour tags of clips that are arrays."""
    tags = ColourTags(primaries=1, transfer=1, matrix=1, range=1)
    return VideoInfo(width=0, height=0, pixels=PixelFormat(kind="yuv", subsampling=(2, 2)), tags=tags)


def _has_colours(source: Source) -> bool:
    return not isinstance(source, FileSource) or source.info.pixels.kind != "gray"


def output_frame(frame: RGB, info: VideoInfo, index: int, seconds: float | None = None) -> Frame:
    """Converts RGB frame number `index` for the writer; `seconds` is its time, where frames are not evenly spaced."""
    step = max(1, round(1 / (info.rate * info.time_base)))
    pts = index * step if seconds is None else round(seconds / float(info.time_base))
    return Frame(planes=rgb_to_planes(frame, info.pixels), pts=pts, duration=step)


class NearestFrames:
    """Looks up the frame of a source that is nearest to a time; times must ascend. It keeps two frames in memory.

    Where the source has no frame for longer than usual, the frame before is shown until the next one.
    """

    def __init__(self, source: Source, offset: float):
        """`offset` is the source's start in seconds on the common clock."""
        self._frames = source.frames()
        self._offset = offset
        self._interval = 1 / source.rate
        self._now: tuple[float, RGB] | None = None
        self._next = next(self._frames, None)

    def at(self, time: float) -> RGB | None:
        """Returns the frame nearest to `time`, seconds on the common clock; None before the first or after the last."""
        own = time - self._offset
        while self._next is not None and (self._now is None or self._nearer(self._now[0], self._next[0], own)):
            if self._now is None and self._next[0] > own + 0.75 * self._interval:
                return None
            self._now, self._next = self._next, next(self._frames, None)
        if self._now is None or (self._next is None and own > self._now[0] + 0.75 * self._interval):
            return None
        return self._now[1]

    def _nearer(self, now: float, later: float, own: float) -> bool:
        """Whether a frame is nearer than the one before, and not early by more than half of the usual interval."""
        return abs(later - own) <= abs(now - own) and later - own <= 0.5 * self._interval + 1e-9

    def after(self, time: float) -> float:
        """The time of the frame after the one of the last `at(time)`; within a gap and at the end, a step later."""
        following = None if self._next is None else self._next[0] + self._offset
        step = time + self._interval
        return following if following is not None and following < step + 0.5 * self._interval else step


def is_bright(frame: RGB) -> bool:
    """Returns whether a frame has something to match; a camera that has dropped out shows black."""
    return bool(np.percentile(frame[::4, ::4], 99) >= 24)


def duration(source: Source) -> float:
    """Returns the seconds from the start of a source's file to its end; infinity if unknown before reading."""
    if source.count is None:
        return float("inf")
    return source.lead + source.count / source.rate


def common_start(sources: Sequence[Source], offsets: Float[np.ndarray, " n"]) -> float:
    """Returns the second on the common clock at which all sources have a frame; they start at `offsets`."""
    return max(float(offset) + source.lead for source, offset in zip(sources, offsets))
