"""The video to compress: a file, or a clip in memory, which the encoder reads several times."""

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vdiff_jax import media
from vdiff_jax.compression.attachment import Timestamps
from vdiff_jax.compression.codec import check_source
from vdiff_jax.compression.settings import Settings
from vdiff_jax.errors import InputError
from vdiff_jax.media.colour import convert
from vdiff_jax.pixels import Frame, PixelFormat


class Source(NamedTuple):
    """The video to compress.

    Attributes:
      info: its properties.
      path: its file, whose sound, subtitles and tags are copied; None for a clip in memory.
      clip: the frames of a clip in memory; None for a file.
      stored: the pixel format that the file is converted from; None if it has that of `info`.
    """

    info: media.VideoInfo
    path: str | None
    clip: Sequence[Frame] | None = None
    stored: PixelFormat | None = None

    def in_format(self, coded: media.VideoInfo) -> "Source":
        """The video converted to the pixel format of these properties, with their tags."""
        info = dataclasses.replace(self.info, pixels=coded.pixels, tags=coded.tags)
        return self._replace(info=info, stored=self.info.pixels)

    @property
    def bytes(self) -> int | None:
        """The size of its file; None for a clip in memory and for several pictures."""
        return os.path.getsize(self.path) if self.path is not None and os.path.isfile(self.path) else None

    @contextlib.contextmanager
    def frames(self, *, written: bool = False) -> Iterator[Iterator[Frame]]:
        """All frames, from the first on, every time that this context is entered; see `open_reader` for `written`."""
        if self.clip is not None:
            yield iter(self.clip)
            return
        with media.open_reader(self.path, written=written) as reader:
            stored = self.stored or self.info.pixels
            yield iter(reader) if stored == self.info.pixels else self._converted(reader, stored)

    def _converted(self, frames: Iterable[Frame], stored: PixelFormat) -> Iterator[Frame]:
        return (converted(frame, stored, self.info.pixels) for frame in frames)


def open_source(source: np.ndarray | str | Path, rate: Fraction | float | int) -> Source:
    """The source of a file name, or of a clip `t h w c` of uint8 R'G'B' or grey at `rate` frames per second.

    Raises:
      InputError: the file can't be read, or is stdin, which can be read only once.
    """
    if isinstance(source, np.ndarray):
        pixels = PixelFormat(kind="rgb" if source.shape[-1] == 3 else "gray", full_range=True, matrix="bt709")
        clip = [Frame(tuple(np.moveaxis(frame, -1, 0)), n, 1) for n, frame in enumerate(source)]
        rate = Fraction(rate).limit_denominator(1001)
        height, width = source.shape[1:3]
        info = media.VideoInfo(width=width, height=height, pixels=pixels, rate=rate, time_base=1 / rate)
        return Source(dataclasses.replace(info, frames=len(clip)), None, clip)
    name = os.fspath(source)
    if name == "-":
        raise InputError("compress reads its input several times, which is impossible for stdin: pass a file")
    return Source(media.probe(name), name)


def coded_source(source: Source, settings: Settings, container: str) -> tuple[Source, media.VideoInfo]:
    """The source in the format that is encoded, and its properties as the encoder receives it.

    Raises:
      FormatError: the encoder, or the format of the file, can't hold the video.
    """
    coded = check_source(source.info, settings.codec, settings.preset, container)
    fewer_bits = coded.pixels.bits < source.info.pixels.bits
    converts = container == "mp4" and (source.info.pixels.kind == "yuv" or fewer_bits)
    return source.in_format(coded) if converts else source, coded


def timestamps_of(
    times: Sequence[tuple[int, int | None]], info: media.VideoInfo, *, always: bool = False
) -> Timestamps | None:
    """The exact time stamps of frames; None where Matroska's milliseconds are exact, unless `always`.

    Args:
      times: pts and duration of each frame.
      info: gives the time base and the frame rate.
      always: returns the time stamps in any case.
    """
    pts = [time for time, _ in times]
    step = max(1, round(1 / (info.rate * info.time_base)))
    last = times[-1][1] or (pts[-1] - pts[-2] if len(pts) > 1 else step)
    ends = [*pts[1:], pts[-1] + last]
    exact = all((time * info.time_base * 1000).denominator == 1 for time in (pts[0], *ends))
    if exact and not always:
        return None
    steps = tuple(end - start for start, end in zip(pts, ends))
    return Timestamps(time_base=info.time_base, first=pts[0], steps=steps)


def converted(frame: Frame, source: PixelFormat, coded: PixelFormat) -> Frame:
    """A frame of the source in the encoder's pixel format."""
    return dataclasses.replace(frame, planes=convert(frame.planes, source, coded))
