"""A crop around a video's holes: inpainting changes nothing else, so the network runs on the crop alone."""

import dataclasses
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Bool

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.samples import bounding_box, plane_groups

Cuttable = TypeVar("Cuttable", bound=Any)
"""A dataclass with `planes`, `error` and `velocity` as a `Chunk` has them."""

_LARGEST_SHARE = 0.75
"""If the crop would have a larger share of the picture than this, none is made."""


@dataclasses.dataclass(frozen=True)
class Crop:
    """Rows and columns of a video's pictures.

    Attributes:
      rows, columns: they start at a multiple of `multiple`, and end at one or at the picture's edge.
      pixels: the frames' pixel format.
      multiple: the network needs pictures whose height and width are multiples of this.
    """

    rows: slice
    columns: slice
    pixels: PixelFormat
    multiple: int

    @classmethod
    def around(
        cls, holes: Bool[np.ndarray, "h w"] | None, pixels: PixelFormat, *, margin: int, multiple: int
    ) -> "Crop | None":
        """The crop around all holes; `None` if it would be nearly the whole picture, or there are no (known) holes.

        Args:
          holes: True where any frame has a hole; `None` if unknown.
          pixels: the frames' pixel format.
          margin: pixels around holes that the result in them depends on.
          multiple: the network needs pictures whose height and width are multiples of this.
        """
        box = None if holes is None else bounding_box(holes, margin + multiple)
        if holes is None or box is None:
            return None
        sides = [
            slice(side.start // multiple * multiple, min(-(-side.stop // multiple) * multiple, length))
            for side, length in zip(box, holes.shape)
        ]
        crop = cls(*sides, pixels, multiple)
        return None if np.prod(crop.size) > _LARGEST_SHARE * holes.size else crop

    @property
    def size(self) -> tuple[int, int]:
        """The crop's height and width."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def times(self, scale: int) -> "Crop":
        """The crop in pictures that are `scale` times larger."""
        rows, columns = (slice(scale * side.start, scale * side.stop) for side in (self.rows, self.columns))
        return Crop(rows, columns, self.pixels, scale * self.multiple)

    def cut(self, chunk: Cuttable, scale: int = 1) -> Cuttable:
        """The chunk, or the network's inputs of it, with its arrays cropped; a chunk's frames stay whole.

        Args:
          chunk: a chunk of the whole pictures, or its inputs.
          scale: how many times larger the pictures are that its velocity field is for.
        """
        # The velocity field covers the padded picture, which may end beyond the picture's edge.
        large = self.times(scale)
        grid = [
            slice(side.start // VELOCITY_GRID, -(-side.stop // large.multiple) * large.multiple // VELOCITY_GRID)
            for side in (large.rows, large.columns)
        ]
        return dataclasses.replace(
            chunk,
            planes=self.of(chunk.planes),
            error=None if chunk.error is None else chunk.error[:, *self._at_scale((1, 1))],
            velocity=chunk.velocity[:, *grid],
        )

    def of(self, planes: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """The crop of each plane `... h w`."""
        return tuple(plane[..., *place] for plane, place in zip(planes, self._in_planes(len(planes))))

    def fill(self, planes: tuple[np.ndarray, ...], crop: tuple[np.ndarray, ...]) -> None:
        """Overwrites the crop's place in planes `... h w`."""
        for plane, new, place in zip(planes, crop, self._in_planes(len(planes))):
            plane[..., *place] = new

    def paste(self, frame: Frame, crop: Frame) -> Frame:
        """The whole frame with this crop in its place."""
        planes = tuple(plane.copy() for plane in frame.planes)
        self.fill(planes, crop.planes)
        return dataclasses.replace(frame, planes=planes, starts_shot=crop.starts_shot)

    def _in_planes(self, count: int) -> list[tuple[slice, slice]]:
        """The crop's rows and columns in each plane."""
        places = [self._at_scale((1, 1))] * count
        for scale, numbers in plane_groups(self.pixels):
            for number in numbers:
                places[number] = self._at_scale(scale)
        return places

    def _at_scale(self, scale: tuple[int, int]) -> tuple[slice, slice]:
        """The crop's rows and columns in a plane whose samples stand for `scale` pixels, (y, x)."""
        down, across = (
            slice(side.start // step, -(-side.stop // step)) for side, step in zip((self.rows, self.columns), scale)
        )
        return down, across
