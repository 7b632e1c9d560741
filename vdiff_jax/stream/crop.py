"""The part of a video's frames in which its holes lie: nothing else changes, so that the network need see no more."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.stream.samples import bounding_box, plane_groups

_WORTH = 0.75
"""The largest share of the picture that is taken for a part of it."""


@dataclasses.dataclass(frozen=True)
class Crop:
    """Rows and columns of the pictures, from multiples of the network's cell on."""

    rows: slice
    columns: slice
    pixels: PixelFormat
    multiple: int

    @classmethod
    def around(
        cls, holes: Bool[np.ndarray, "h w"] | None, pixels: PixelFormat, *, margin: int, multiple: int
    ) -> "Crop | None":
        """The part that holds all holes and so many pixels around them; `None` for all, or nearly all, of the picture.

        Args:
          holes: where any frame has one; `None` if that isn't known.
          pixels: the frames' format.
          margin: pixels that a hole's samples depend on.
          multiple: of which the network takes a picture's height and width.
        """
        box = None if holes is None else bounding_box(holes, margin + multiple)
        if holes is None or box is None:
            return None
        sides = [
            slice(side.start // multiple * multiple, min(-(-side.stop // multiple) * multiple, length))
            for side, length in zip(box, holes.shape)
        ]
        part = cls(*sides, pixels, multiple)
        return None if np.prod(part.size) > _WORTH * holes.size else part

    @property
    def size(self) -> tuple[int, int]:
        """Its height and width."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def cut(self, chunk: Chunk) -> Chunk:
        """The chunk's arrays without what lies around; its frames stay whole."""
        # Motion is known on the padded picture, to a multiple beyond its edge.
        grid = [
            slice(side.start // VELOCITY_GRID, -(-side.stop // self.multiple) * self.multiple // VELOCITY_GRID)
            for side in (self.rows, self.columns)
        ]
        return dataclasses.replace(
            chunk,
            planes=tuple(plane[:, *place] for plane, place in zip(chunk.planes, self._of_planes(len(chunk.planes)))),
            error=None if chunk.error is None else chunk.error[:, *self._places((1, 1))],
            velocity=chunk.velocity[:, *grid],
        )

    def paste(self, frames: Sequence[Frame], parts: Sequence[Frame]) -> list[Frame]:
        """Whole frames with these parts in their place."""
        return [self._pasted(frame, part) for frame, part in zip(frames, parts, strict=True)]

    def _pasted(self, frame: Frame, part: Frame) -> Frame:
        planes = tuple(plane.copy() for plane in frame.planes)
        for plane, new, place in zip(planes, part.planes, self._of_planes(len(planes))):
            plane[place] = new
        return dataclasses.replace(frame, planes=planes)

    def _of_planes(self, count: int) -> list[tuple[slice, slice]]:
        """Its place in each plane."""
        places = [self._places((1, 1))] * count
        for scale, numbers in plane_groups(self.pixels):
            for number in numbers:
                places[number] = self._places(scale)
        return places

    def _places(self, scale: tuple[int, int]) -> tuple[slice, slice]:
        """Its place in a picture of which a sample stands for so many pixels, y and x."""
        down, across = (
            slice(side.start // step, -(-side.stop // step)) for side, step in zip((self.rows, self.columns), scale)
        )
        return down, across
