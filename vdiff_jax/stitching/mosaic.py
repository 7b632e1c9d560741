"""Draws the panorama: each camera's pixels where it has a share, corrected, with a short ramp across the seams."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from vdiff_jax.stitching.projection import View

_FAINT = 0.3  # code values: corrections that stay under it would not be seen


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """One camera's part of the panorama.

    Attributes:
      rows: of the canvas that it reaches. columns: likewise.
      maps: where the pixels of this box come from (`cv2.remap`); None where the camera's pixels are the canvas's.
      source: the rows and columns of the camera that the box shows, if `maps` is None.
      whole: 1 for the box's pixels that it has alone.
      ramp: rows and columns within the box of those it shares.
      place: which pixels of the mosaic's ramp these are.
      share: its share of each.
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
    """The cameras' parts of one canvas; made anew whenever a seam moves."""

    def __init__(self, views: Sequence[View], shares: Float[np.ndarray, "n h w"]):
        """Args: views: where each camera lands. shares: of each pixel, 0 or adding up to 1 over the cameras."""
        self._size = shares.shape[1:]
        ramp = ((shares > 0) & (shares < 0.999)).any(axis=0)
        self._ramp = np.nonzero(ramp)
        number = np.zeros(self._size, int)
        number[self._ramp] = np.arange(len(self._ramp[0]))
        self._parts = [_part(each, share, ramp, number) for each, share in zip(views, shares)]

    def __call__(
        self,
        frames: Sequence[UInt8[np.ndarray, "_h _w 3"] | None],
        tables: Sequence[UInt8[np.ndarray, "1 256 3"] | None],
        correction: Float[Array, "n h2 w2 3"] | None,
        cell: int,
    ) -> UInt8[np.ndarray, "h w 3"]:
        """One frame of the panorama.

        Args:
          frames: one of each camera, None for one that is missing.
          tables: by which each camera's values are exchanged; None leaves them.
          correction: what to add to each camera, code values; read after the warps, to be computed meanwhile.
          cell: how many pixels a cell of the correction is wide.
        """
        drawn = [
            None if frame is None or part is None else _warp(frame, table, part)
            for frame, table, part in zip(frames, tables, self._parts)
        ]
        extra = None if correction is None else np.asarray(correction)
        canvas = np.zeros((*self._size, 3), np.uint8)
        mixture = np.zeros((len(self._ramp[0]), 3), np.float32)
        for index, (picture, part) in enumerate(zip(drawn, self._parts)):
            if picture is None or part is None:
                continue
            if extra is not None and np.abs(extra[index]).max() > _FAINT:
                picture = cv2.add(picture, _enlarged(extra[index], cell, part), dtype=cv2.CV_8U)
            cv2.copyTo(picture, part.whole, canvas[part.rows, part.columns])
            mixture[part.place] += picture[part.ramp] * part.share
        canvas[self._ramp] = np.rint(mixture).astype(np.uint8)
        return canvas


def _part(view: View, share: Float[np.ndarray, "h w"], ramp: np.ndarray, number: np.ndarray) -> Part | None:
    rows, columns = np.flatnonzero(share.any(axis=1)), np.flatnonzero(share.any(axis=0))
    if len(rows) == 0:
        return None
    box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    left, top = view.box[:2]
    inner = (slice(box[0].start - top, box[0].stop - top), slice(box[1].start - left, box[1].stop - left))
    shared = np.nonzero(ramp[box] & (share[box] > 0))
    whole = (share[box] >= 0.999).astype(np.uint8)
    maps = tuple(np.ascontiguousarray(each[inner]) for each in view.maps)
    source = (slice(0), slice(0))
    if view.shift is not None:
        source = tuple(slice(s.start + by, s.stop + by) for s, by in zip(inner, view.shift))
        maps = None
    return Part(
        rows=box[0], columns=box[1], maps=maps, source=source, whole=whole, ramp=shared,
        place=number[box][shared], share=share[box][shared][:, None].astype(np.float32),
    )  # fmt: skip


def _warp(frame: UInt8[np.ndarray, "_h _w 3"], table: np.ndarray | None, part: Part) -> UInt8[np.ndarray, "h w 3"]:
    """The part's box, without correction."""
    if part.maps is None:
        picture = frame[part.source]
    else:
        picture = cv2.remap(frame, *part.maps, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return picture if table is None else cv2.LUT(picture, table)


def _enlarged(extra: Float[np.ndarray, "h2 w2 3"], cell: int, part: Part) -> Float[np.ndarray, "h w 3"]:
    """A correction on the part's pixels: only the cells around them are enlarged."""
    low, high = [], []
    for span, count in zip((part.rows, part.columns), extra.shape):
        low.append(max(0, span.start // cell - 1))
        high.append(min(count, -(-span.stop // cell) + 1))
    cells = extra[low[0] : high[0], low[1] : high[1]]
    size = (cells.shape[1] * cell, cells.shape[0] * cell)
    large = cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR)
    top, left = part.rows.start - low[0] * cell, part.columns.start - low[1] * cell
    return large[top : top + part.rows.stop - part.rows.start, left : left + part.columns.stop - part.columns.start]
