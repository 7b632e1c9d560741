"""Draws the panorama from each camera's share of the pixels, with a short ramp across the seams."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

from vdiff_jax.stitching.warper import CameraWarp

_INVISIBLE = 0.3  # code values: smaller corrections are skipped, as they would not be seen


@dataclasses.dataclass(frozen=True, kw_only=True)
class CameraPart:
    """One camera's part of the panorama.

    Attributes:
      rows: the rows of the canvas that its box covers.
      columns: the columns of the canvas that its box covers.
      maps: where the pixels of the box come from (`cv2.remap`); None if the warp only shifts by whole pixels.
      source: the rows and columns of the camera that the box shows, if `maps` is None.
      whole: 1 for the pixels of the box that this camera has to itself.
      ramp: rows and columns within the box of the pixels that it shares with other cameras.
      place: which pixels of the mosaic's ramp these are.
      share: this camera's share of each of them.
    """

    rows: slice
    columns: slice
    maps: tuple[np.ndarray, np.ndarray] | None
    source: tuple[slice, slice]
    whole: UInt8[np.ndarray, "h w"]
    ramp: tuple[np.ndarray, np.ndarray]
    place: Int[np.ndarray, " r"]
    share: Float[np.ndarray, "r 1"]


class Mosaic:
    """The cameras' parts of one canvas; a new one is made whenever a seam moves."""

    def __init__(self, warps: Sequence[CameraWarp], shares: Float[np.ndarray, "n h w"]):
        """Cuts the canvas into parts; each pixel's `shares` add up to 1 over the cameras, or to 0."""
        self._size = shares.shape[1:]
        ramp = ((shares > 0) & (shares < 0.999)).any(axis=0)
        self._ramp = np.nonzero(ramp)
        number = np.zeros(self._size, int)
        number[self._ramp] = np.arange(len(self._ramp[0]))
        self._parts = [_part(each, share, ramp, number) for each, share in zip(warps, shares)]

    def __call__(
        self,
        frames: Sequence[UInt8[np.ndarray, "_h _w 3"] | None],
        tables: Sequence[UInt8[np.ndarray, "1 256 3"] | None],
        correction: Float[Array, "n h2 w2 3"] | None,
        cell: int,
    ) -> UInt8[np.ndarray, "h w 3"]:
        """Returns one frame of the panorama.

        Args:
          frames: one frame of each camera, None for a missing one.
          tables: the lookup table for each camera's gains (`cv2.LUT`), None for none.
          correction: what to add to each camera, code values. It is read after the warps, so that JAX can compute it
            meanwhile.
          cell: the width of a correction's cell in pixels.
        """
        warped = [
            None if frame is None or part is None else _warp(frame, table, part)
            for frame, table, part in zip(frames, tables, self._parts)
        ]
        extra = None if correction is None else np.asarray(correction)
        canvas = np.zeros((*self._size, 3), np.uint8)
        mixture = np.zeros((len(self._ramp[0]), 3), np.float32)
        for index, (picture, part) in enumerate(zip(warped, self._parts)):
            if picture is None or part is None:
                continue
            if extra is not None and np.abs(extra[index]).max() > _INVISIBLE:
                picture = cv2.add(picture, _enlarged(extra[index], cell, part), dtype=cv2.CV_8U)
            cv2.copyTo(picture, part.whole, canvas[part.rows, part.columns])
            mixture[part.place] += picture[part.ramp] * part.share
        canvas[self._ramp] = np.rint(mixture).astype(np.uint8)
        return canvas


def _part(
    warp: CameraWarp, share: Float[np.ndarray, "h w"], ramp: Bool[np.ndarray, "h w"], number: Int[np.ndarray, "h w"]
) -> CameraPart | None:
    """The smallest box with all pixels of which a camera has a share; None if it has none."""
    rows, columns = np.flatnonzero(share.any(axis=1)), np.flatnonzero(share.any(axis=0))
    if len(rows) == 0:
        return None
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    left, top = warp.box[:2]
    inner = (slice(box[0].start - top, box[0].stop - top), slice(box[1].start - left, box[1].stop - left))
    shared = np.nonzero(ramp[box] & (share[box] > 0))
    whole = (share[box] >= 0.999).astype(np.uint8)
    maps = tuple(np.ascontiguousarray(each[inner]) for each in warp.maps)
    source = (slice(0), slice(0))
    if warp.shift is not None:
        source = tuple(slice(s.start + by, s.stop + by) for s, by in zip(inner, warp.shift))
        maps = None
    return CameraPart(
        rows=box[0], columns=box[1], maps=maps, source=source, whole=whole, ramp=shared,
        place=number[box][shared], share=share[box][shared][:, None].astype(np.float32),
    )  # fmt: skip


def _warp(
    frame: UInt8[np.ndarray, "_h _w 3"], table: np.ndarray | None, part: CameraPart
) -> UInt8[np.ndarray, "h w 3"]:
    """The pixels of the part's box, gains applied, without correction."""
    if part.maps is None:
        picture = frame[part.source]
    else:
        picture = cv2.remap(frame, *part.maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return picture if table is None else cv2.LUT(picture, table)


def _enlarged(extra: Float[np.ndarray, "h2 w2 3"], cell: int, part: CameraPart) -> Float[np.ndarray, "h w 3"]:
    """A correction on the part's pixels; only the cells around them are enlarged."""
    low, high = [], []
    for span, count in zip((part.rows, part.columns), extra.shape):
        low.append(max(0, span.start // cell - 1))
        high.append(min(count, -(-span.stop // cell) + 1))
    cells = extra[low[0] : high[0], low[1] : high[1]]
    size = (cells.shape[1] * cell, cells.shape[0] * cell)
    large = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)
    top, left = part.rows.start - low[0] * cell, part.columns.start - low[1] * cell
    return large[top : top + part.rows.stop - part.rows.start, left : left + part.columns.stop - part.columns.start]
