"""Cameras as streams of RGB frames with their times, from files or arrays, and the way back into a file."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Protocol, runtime_checkable

import cv2
import numpy as np
from jaxtyping import UInt8

from vdiff_jax.errors import ClipError, StitchError
from vdiff_jax.media import ColourTags, Frame, PixelFormat, VideoInfo, open_reader
from vdiff_jax.media.colour import from_rgb, to_rgb
from vdiff_jax.media.video import turn
from vdiff_jax.pixels import LUMA_WEIGHTS

RGB = UInt8[np.ndarray, "_h _w 3"]


@runtime_checkable
class Source(Protocol):
    """A camera, read from the start as often as asked.

    Attributes:
      name: what an error calls it.
      size: (width, height) as shown.
      rate: frames per second.
      count: how many frames it has, as far as known beforehand.
    """

    name: str
    size: tuple[int, int]
    rate: float
    count: int | None

    def frames(self) -> Iterator[tuple[float, RGB]]:
        """Each frame with its time in seconds since the first one."""
        ...


class ArraySource:
    """A clip in memory: t h w 3, uint8, or float in [0, 1]."""

    def __init__(self, clip: np.ndarray, name: str, rate: float):
        clip = np.asarray(clip)
        if clip.ndim != 4 or clip.shape[-1] != 3 or 0 in clip.shape:
            raise ClipError(f"{name} has shape {clip.shape}: pass t h w 3")
        if not (clip.dtype == np.uint8 or np.issubdtype(clip.dtype, np.floating)):
            raise ClipError(f"{name} is of {clip.dtype}: pass uint8, or float in [0, 1]")
        self.name, self.rate, self._clip = name, float(rate), clip
        self.size, self.count = (clip.shape[2], clip.shape[1]), len(clip)

    def frames(self) -> Iterator[tuple[float, RGB]]:
        for index, frame in enumerate(self._clip):
            yield index / self.rate, as_frame(frame, self.name)


class FileSource:
    """A video file, a picture, a folder or glob of pictures."""

    def __init__(self, path: str | os.PathLike, name: str):
        self.name, self.path = name, path
        with open_reader(path) as reader:
            self.info = reader.info
        self.size, self.rate, self.count = self.info.displayed_size, float(self.info.rate), self.info.frames

    def frames(self) -> Iterator[tuple[float, RGB]]:
        with open_reader(self.path) as reader:
            for frame in reader:
                rgb = turn(rgb_of(frame.planes, reader.info.pixels), reader.info.display_matrix)
                yield float(frame.pts * reader.info.time_base), np.ascontiguousarray(rgb)


def open_sources(inputs: Sequence, rates: Sequence[float] | None = None) -> list[Source]:
    """Opens inputs: paths, or arrays with their frames per second (25 where none are given)."""
    if rates is not None and len(rates) != len(inputs):
        raise StitchError(f"{len(rates)} rates for {len(inputs)} inputs: pass one each")
    result: list[Source] = []
    for index, each in enumerate(inputs):
        if isinstance(each, str | os.PathLike):
            result.append(FileSource(each, f"input {index + 1} ({os.path.basename(os.fspath(each))})"))
        else:
            result.append(ArraySource(each, f"input {index + 1}", rates[index] if rates is not None else 25.0))
    return result


def as_frame(frame: np.ndarray, name: str = "the clip") -> RGB:
    """A frame as uint8; float frames are in [0, 1]."""
    if frame.dtype == np.uint8:
        return np.ascontiguousarray(frame)
    if not np.isfinite(frame).all() or frame.min() < -0.01 or frame.max() > 1.01:
        raise ClipError(f"{name} holds values outside [0, 1]: scale it, or pass uint8")
    return np.rint(frame.clip(0, 1) * 255).astype(np.uint8)


def rgb_of(planes: Sequence[np.ndarray], pixels: PixelFormat) -> RGB:
    """A decoded frame as RGB; 8-bit Y'CbCr by fixed point, as exact as its rounding."""
    if pixels.kind != "yuv" or pixels.bits != 8 or pixels.subsampling not in ((1, 1), (2, 1), (2, 2)):
        return np.rint(to_rgb(tuple(planes), pixels)[..., :3].clip(0, 1) * 255).astype(np.uint8)
    height, width = planes[0].shape
    across, down = pixels.subsampling
    centred = pixels.full_range
    # Chroma's place between the luma samples, as media.colour has it.
    shift = ((1 / across - 1) / 2 if centred else 0.0, (1 / down - 1) / 2)
    place = np.array([[1 / across, 0, shift[0]], [0, 1 / down, shift[1]]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    chroma = [
        plane if across == down == 1
        else cv2.warpAffine(plane, place, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        for plane in planes[1:3]
    ]  # fmt: skip
    return cv2.transform(cv2.merge([planes[0], *chroma]), _to_rgb(pixels))


def _to_rgb(pixels: PixelFormat) -> np.ndarray:
    red, blue = LUMA_WEIGHTS[pixels.matrix]
    green = 1 - red - blue
    luma, chroma, black = (1.0, 1.0, 0.0) if pixels.full_range else (255 / 219, 255 / 224, 16.0)
    cb, cr = 2 * (1 - blue) * chroma, 2 * (1 - red) * chroma
    matrix = np.array([[luma, 0, cr], [luma, -blue / green * cb, -red / green * cr], [luma, cb, 0]])
    return np.hstack([matrix, -matrix @ np.array([[black], [128], [128]])])


def planes_of(frame: RGB, pixels: PixelFormat) -> tuple[np.ndarray, ...]:
    """The inverse of `rgb_of`."""
    if pixels.kind != "yuv" or pixels.bits != 8 or pixels.subsampling != (2, 2) or pixels.alpha:
        return from_rgb(frame.astype(np.float32) / 255, pixels)
    matrix = _to_rgb(pixels)
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


def output_info(source: Source, size: tuple[int, int], rate: float) -> VideoInfo:
    """What to open a writer with: a film of another size like the source."""
    exact = Fraction(rate).limit_denominator(1001)
    info = getattr(source, "info", None)
    if info is None:
        tags = ColourTags(primaries=1, transfer=1, matrix=1, range=1)
        info = VideoInfo(width=0, height=0, pixels=PixelFormat(kind="yuv", subsampling=(2, 2)), tags=tags)
    elif abs(float(info.rate) - rate) < 1e-6:
        exact = info.rate
    return dataclasses.replace(
        info, path=None, width=size[0], height=size[1], rate=exact, time_base=1 / exact, frames=None, duration=None,
        rotation=0, display_matrix=None, stop=None, codec="",
        pixels=dataclasses.replace(info.pixels, alpha=False),
    )  # fmt: skip


def frame_for(frame: RGB, info: VideoInfo, index: int) -> Frame:
    """An RGB frame as the writer takes it."""
    return Frame(planes=planes_of(frame, info.pixels), pts=index, duration=1)


class Follower:
    """The frame of a source nearest to a time that only moves on; it holds two frames."""

    def __init__(self, source: Source, offset: float):
        self._frames = source.frames()
        self._offset = offset
        self._interval = 1 / source.rate
        self._now: tuple[float, RGB] | None = None
        self._next = next(self._frames, None)

    def at(self, time: float) -> RGB | None:
        """The frame shown nearest to `time` on the common clock; None before the first and after the last one."""
        own = time - self._offset
        while self._next is not None and (self._now is None or abs(self._next[0] - own) <= abs(self._now[0] - own)):
            if self._now is None and self._next[0] > own + 0.75 * self._interval:
                return None
            self._now, self._next = self._next, next(self._frames, None)
        if self._now is None or abs(self._now[0] - own) > 0.75 * self._interval:
            return None
        return self._now[1]

    @property
    def ended(self) -> bool:
        """Whether no frame is left after the one last given."""
        return self._next is None


def take(source: Source, times: Sequence[float]) -> list[RGB]:
    """The frames nearest to ascending times in seconds; a shorter source gives fewer."""
    follower = Follower(source, 0.0)
    found = [follower.at(time) for time in times]
    return [frame for frame in found if frame is not None]
