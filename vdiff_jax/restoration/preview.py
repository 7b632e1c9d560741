"""`--preview`: the source and its repaired version side by side."""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import cv2
import numpy as np

from vdiff_jax.media import VideoInfo
from vdiff_jax.pixels import Frame
from vdiff_jax.stream.samples import to_samples


class SideBySide:
    """Puts each repaired frame beside the source's frame of that time; the source is on the left, as players show it.

    Where the repair enlarges the video, the source is enlarged by bicubic interpolation.

    Args:
      info: the output's properties without a preview.
      interval: time between two output frames, in units of the source frames' pts; `None` if each source frame gives
        one output frame.

    Attributes:
      info: the properties of the preview.
    """

    def __init__(self, info: VideoInfo, interval: Fraction | None):
        self._pixels, self._interval = info.pixels, interval
        across, down = info.pixels.subsampling if info.pixels.kind == "yuv" else (1, 1)
        # An odd width or height would leave half a chroma sample at the seam.
        self._height, self._width = info.height // down * down, info.width // across * across
        self._axis = 0 if info.rotation in (90, 270) else 1
        self._source_first = info.rotation in (0, 270)
        height, width = self._height * (2 - self._axis), self._width * (1 + self._axis)
        self.info = dataclasses.replace(info, height=height, width=width)
        self._sources: deque[Frame] = deque()
        self._begin: int | None = None

    def keep(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The source's frames, unchanged; each is remembered for `pairs`."""
        for frame in frames:
            self._begin = frame.pts if self._begin is None else self._begin
            self._sources.append(frame)
            yield frame

    def pairs(self, repaired: Iterable[Frame]) -> Iterator[Frame]:
        """Each repaired frame beside the source's frame of that time."""
        shapes = self._pixels.plane_shapes(self._width, self._height)
        for number, frame in enumerate(repaired):
            source = self._source_at(number)
            planes = []
            for index, (new, (height, width)) in enumerate(zip(frame.planes, shapes)):
                old = self._fitted(source, index, new)
                both = (old, new) if self._source_first else (new, old)
                planes.append(np.concatenate([plane[:height, :width] for plane in both], axis=self._axis))
            yield dataclasses.replace(frame, planes=tuple(planes))

    def _source_at(self, number: int) -> Frame:
        if self._interval is None:
            return self._sources.popleft()
        assert self._begin is not None
        time = self._begin + number * self._interval
        while len(self._sources) > 1 and self._sources[1].pts <= time:
            self._sources.popleft()
        return self._sources[0]

    def _fitted(self, source: Frame, index: int, like: np.ndarray) -> np.ndarray:
        """A plane of the source in the size and type of the repaired one; grey becomes equal R', G' and B'."""
        plane = source.planes[min(index, len(source.planes) - 1)]
        if plane.shape == like.shape:
            return plane
        resized = cv2.resize(plane.astype(np.float32), like.shape[::-1], interpolation=cv2.INTER_CUBIC)
        return to_samples(resized, like.dtype, self._pixels)
