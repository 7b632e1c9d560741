"""What is to be compressed, read as often as the encoder looks at it: a file, or a clip in memory."""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vdiff_jax import media
from vdiff_jax.compression.attachment import Stamps
from vdiff_jax.errors import InputError
from vdiff_jax.media.colour import convert
from vdiff_jax.pixels import Frame, PixelFormat


class Original(NamedTuple):
    """The source.

    Attributes:
      info: its properties.
      path: the file whose other tracks are copied; None for a clip.
      clip: the frames, where they are in memory.
    """

    info: media.VideoInfo
    path: str | None
    clip: Sequence[Frame] | None = None

    @contextlib.contextmanager
    def frames(self) -> Iterator[Iterator[Frame]]:
        """The frames from the first on, each time it is entered."""
        if self.clip is not None:
            yield iter(self.clip)
            return
        with media.open_reader(self.path) as reader:
            yield iter(reader)


def open_original(source: np.ndarray | str | Path, rate: Fraction | float | int) -> Original:
    """A file, or a clip `t h w c` of uint8 R'G'B' or grey.

    Raises:
      InputError: it can't be read, or be read twice.
    """
    if isinstance(source, np.ndarray):
        pixels = PixelFormat(kind="rgb" if source.shape[-1] == 3 else "gray", full_range=True, matrix="bt709")
        clip = [Frame(tuple(np.moveaxis(frame, -1, 0)), n, 1) for n, frame in enumerate(source)]
        rate = Fraction(rate).limit_denominator(1001)
        height, width = source.shape[1:3]
        info = media.VideoInfo(width=width, height=height, pixels=pixels, rate=rate, time_base=1 / rate)
        return Original(dataclasses.replace(info, frames=len(clip)), None, clip)
    name = os.fspath(source)
    if name == "-":
        raise InputError("compress reads its input more than once, which stdin can't be: give a file")
    return Original(media.probe(name), name)


def stamps_of(
    frames: Sequence[tuple[int, int | None]], info: media.VideoInfo, lead: int, *, always: bool = False
) -> Stamps | None:
    """The exact times of frames (pts and duration each); None, unless `always`, where milliseconds are exact."""
    times = [pts for pts, _ in frames]
    step = max(1, round(1 / (info.rate * info.time_base)))
    last = frames[-1][1] or (times[-1] - times[-2] if len(times) > 1 else step)
    steps = tuple(b - a for a, b in zip(times, [*times[1:], times[-1] + last]))
    whole = all((pts * info.time_base * 1000).denominator == 1 for pts in (*times, times[-1] + last))
    if whole and lead == 0 and not always:
        return None
    return Stamps(time_base=info.time_base, first=times[0], steps=steps, lead=lead)


def converted(frame: Frame, source: PixelFormat, stored: PixelFormat) -> Frame:
    """A frame in the format that the encoder is given."""
    return dataclasses.replace(frame, planes=convert(frame.planes, source, stored))
