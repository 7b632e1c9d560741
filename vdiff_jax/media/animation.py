"""Animated WebP as a video, through Pillow, because FFmpeg reads none of its frames."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate
from pathlib import Path

import numpy as np
from PIL import Image

from vdiff_jax.errors import InputError
from vdiff_jax.media.pictures import planes_of_picture
from vdiff_jax.media.video import Seconds, VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat

_TIME_BASE = Fraction(1, 1000)
_SHORTEST = 100
"""Milliseconds of a frame that lasts 0 in the file, as browsers show it."""


class AnimationSource:
    """The frames of an animated WebP, composed on its canvas, with their durations.

    Args:
        name: the file.
        start, stop: seconds from the beginning; frames with start <= time < stop are read, the first with pts 0.

    Raises:
        InputError: the file is damaged, or has no frame in the wanted part.
    """

    def __init__(self, name: str, start: Seconds | None = None, stop: Seconds | None = None):
        self._name = name
        durations = frame_durations(Path(name).read_bytes())
        times = list(accumulate(durations, initial=0))
        begin, end = (None if part is None else part / _TIME_BASE for part in (start, stop))
        self._shown = {
            index: (times[index], duration)
            for index, duration in enumerate(durations)
            if (begin is None or times[index] >= begin) and (end is None or times[index] < end)
        }
        if not self._shown:
            raise InputError(
                f"{name} has {len(durations)} frames ({times[-1] / 1000:g} s), none of them in this part: "
                "pass --from and --to within it"
            )
        first = next(self._pictures())
        whole = sum(duration for _, duration in self._shown.values())
        self.info = VideoInfo(
            path=name,
            width=first.shape[1],
            height=first.shape[0],
            pixels=PixelFormat(
                kind="rgb", full_range=True, matrix="bt601" if len(first) < 720 else "bt709", alpha=self._has_alpha()
            ),
            rate=len(self._shown) / (whole * _TIME_BASE),
            time_base=_TIME_BASE,
            frames=len(self._shown),
            duration=whole / 1000,
            codec="webp",
        )

    def frames(self) -> Iterator[Frame]:
        """The frames in order."""
        start = next(iter(self._shown.values()))[0]
        for (time, duration), picture in zip(self._shown.values(), self._pictures(), strict=True):
            yield Frame(planes_of_picture(picture, self.info.pixels), time - start, duration)

    def close(self) -> None:
        """Nothing stays open."""

    def _pictures(self) -> Iterator[np.ndarray]:
        try:
            with Image.open(self._name) as image:
                for index in self._shown:
                    image.seek(index)
                    yield np.asarray(image)
        except (OSError, EOFError, ValueError) as error:
            raise InputError(f"{self._name} is damaged: a frame of its animation can't be decoded") from error

    def _has_alpha(self) -> bool:
        """Whether a pixel of any frame is transparent; most files only declare an alpha channel."""
        return any(picture.shape[-1] == 4 and picture[..., 3].min() < 255 for picture in self._pictures())


def frame_durations(content: bytes) -> list[int]:
    """The duration of each frame of an animated WebP in milliseconds (WebP container specification, ANMF)."""
    durations, at = [], 12
    while at + 8 <= len(content):
        kind, size = struct.unpack_from("<4sI", content, at)
        if kind == b"ANMF" and at + 24 <= len(content):
            durations.append(int.from_bytes(content[at + 20 : at + 23], "little") or _SHORTEST)
        at += 8 + size + size % 2
    return durations
