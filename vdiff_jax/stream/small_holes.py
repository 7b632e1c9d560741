"""Fills small holes, such as drop-outs and thin scratches, from around them and from the frames before and after.

`preprocess.small_holes` has the method. This module measures the motion, and gives it tiles of one size: one compiled
function then serves all videos, and tiles without small holes cost nothing.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import cv2
import jax
import numpy as np
from jaxtyping import Bool, Float, UInt8

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.preprocess.small_holes import WIDTH
from vdiff_jax.preprocess.small_holes import fill_small_holes as fill_tile
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.dis import COARSE, WIENER, make_dis
from vdiff_jax.stream.flow import SMALLEST, FlowFrame
from vdiff_jax.stream.samples import luma_of, mask_at_scale, plane_groups, step_in_levels, to_samples
from vdiff_jax.stream.warp import grid_points

REACH = 2
"""Frames in each direction that small holes are filled from."""
_TILE, _MARGIN = 224, 16
"""The side of a tile, and the margin around it that its result depends on."""
_Window = list[AnalysedFrame | None]
_fill_tile = jax.jit(fill_tile)


def fill_small_holes(frames: Iterable[AnalysedFrame], pixels: PixelFormat) -> Iterator[AnalysedFrame]:
    """The frames with their small holes filled and the fill's expected `error` set; it is infinite in wide holes.

    The first pass measures motion on half-size luma. The second measures it on the full size, on frames that the first
    has filled, and takes samples from these. Frames without small holes pass unchanged. A frame is yielded up to
    2 × `REACH` frames after it was read.
    """
    first_pass = map(_Filler(pixels, fine=False).fill, _windows(frames))
    return map(_Filler(pixels, fine=True).fill, _windows(first_pass))


def small_holes(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The small holes of a mask; the host's form of `preprocess.small_holes.small_holes`."""
    square = np.ones((WIDTH, WIDTH), np.uint8)
    wide = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, square)
    return mask & (cv2.dilate(wide, square) == 0)


def _windows(frames: Iterable[AnalysedFrame]) -> Iterator[_Window]:
    """Each frame in the middle of the `REACH` frames before and after it; `None` beyond the shot."""
    empty: _Window = [None] * REACH
    window: _Window = [*empty, None, *empty]
    for item in frames:
        if item.starts_shot:
            yield from _ends(window)
            window = [*empty, None, *empty]
        window = [*window[1:], item]
        if window[REACH] is not None:
            yield window
    yield from _ends(window)


def _ends(window: _Window) -> Iterator[_Window]:
    """The windows of a shot's last `REACH` frames."""
    for _ in range(REACH):
        window = [*window[1:], None]
        if window[REACH] is not None:
            yield window


class _Filler:
    """Fills the frame in the middle of a window."""

    def __init__(self, pixels: PixelFormat, *, fine: bool):
        self._pixels, self._dis, self._fine = pixels, make_dis(WIENER if fine else COARSE), fine

    def fill(self, window: _Window) -> AnalysedFrame:
        item = window[REACH]
        assert item is not None
        small = None if item.mask is None else small_holes(item.mask)
        if item.mask is None or small is None or not small.any():
            return item
        neighbours = [other for number, other in enumerate(window) if number != REACH]
        flows = [None if other is None else self._flow(item, other) for other in neighbours]
        planes = list(item.frame.planes)
        error = np.where(item.mask, np.float32(np.inf), np.float32(0))
        for scale, numbers in plane_groups(self._pixels):
            hidden, wanted = mask_at_scale(item.mask, scale), mask_at_scale(small, scale)
            here = self._samples(item, numbers)
            there = np.full((2 * REACH, *here.shape), np.nan, np.float32)
            for number, (other, flow) in enumerate(zip(neighbours, flows)):
                if other is not None and flow is not None:
                    there[number] = _moved(self._samples(other, numbers), flow, scale)
            filled, expected = self._in_tiles(here, hidden, there, wanted)
            for number, values in zip(numbers, filled):
                plane = planes[number].copy()
                plane[wanted] = to_samples(
                    values[wanted] / step_in_levels(plane, self._pixels), plane.dtype, self._pixels
                )
                planes[number] = plane
            if scale == (1, 1):
                error[small] = expected[small]
        frame = dataclasses.replace(item.frame, planes=tuple(planes))
        filled_item = dataclasses.replace(item, frame=frame, error=error)
        return dataclasses.replace(filled_item, flow_frame=self._flow_frame(filled_item))

    def _flow_frame(self, item: AnalysedFrame) -> FlowFrame:
        """What optical flow is measured on: the filled luma, in which only wide holes are unknown."""
        luma = luma_of(item.frame, self._pixels)
        rest = np.subtract(item.flow_frame.size, luma.shape)
        luma, known = (
            cv2.copyMakeBorder(plane, 0, int(rest[0]), 0, int(rest[1]), cv2.BORDER_REPLICATE)
            for plane in (luma, (~item.hidden).astype(np.float32))
        )
        return FlowFrame.from_luma(luma, known, time=item.flow_frame.time, filled=True)

    def _samples(self, item: AnalysedFrame, numbers: Sequence[int]) -> Float[np.ndarray, "c h w"]:
        """Some planes of a frame, in [0, 1]."""
        planes = [item.frame.planes[number] for number in numbers]
        return np.stack([plane.astype(np.float32) * step_in_levels(plane, self._pixels) for plane in planes])

    def _flow(self, here: AnalysedFrame, there: AnalysedFrame) -> Float[np.ndarray, "h w 2"] | None:
        """Where each pixel of a frame lies in another; `None` for tiny frames."""
        if min(here.frame.planes[0].shape) < 2 * SMALLEST:
            return None
        pictures = (_picture(luma_of(item.frame, self._pixels), 1 if self._fine else 2) for item in (here, there))
        flow = self._dis.calc(*pictures, None)
        return flow if self._fine else 2 * cv2.resize(flow, here.frame.planes[0].shape[::-1])

    def _in_tiles(
        self,
        image: Float[np.ndarray, "c h w"],
        hidden: Bool[np.ndarray, "h w"],
        neighbours: Float[np.ndarray, "k c h w"],
        wanted: Bool[np.ndarray, "h w"],
    ) -> tuple[Float[np.ndarray, "c h w"], Float[np.ndarray, "h w"]]:
        """The image with its holes filled, and the expected error, in the tiles that hold wanted samples."""
        height, width = hidden.shape
        result, error = image.copy(), np.zeros(hidden.shape, np.float32)
        sides = ((_MARGIN, -height % _TILE + _MARGIN), (_MARGIN, -width % _TILE + _MARGIN))
        image, known, neighbours = (
            np.pad(
                array, [(0, 0)] * (array.ndim - 2) + list(sides), mode="reflect" if min(height, width) > 1 else "edge"
            )
            for array in (image, (~hidden).astype(np.float32), neighbours)
        )
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                own = slice(top, top + _TILE), slice(left, left + _TILE)
                if not wanted[own].any():
                    continue
                tile = (..., slice(top, top + _TILE + 2 * _MARGIN), slice(left, left + _TILE + 2 * _MARGIN))
                filled, expected = (np.asarray(a) for a in _fill_tile(image[tile], known[tile], neighbours[tile]))
                inner = tuple(slice(_MARGIN, _MARGIN + side) for side in result[(0, *own)].shape)
                result[(..., *own)] = filled[(..., *inner)]
                error[own] = expected[inner]
        return result, error


def _picture(luma: Float[np.ndarray, "h w"], factor: int) -> UInt8[np.ndarray, "h2 w2"]:
    """Luma as DIS takes it: 8-bit, reduced by a factor."""
    if factor > 1:
        size = luma.shape[1] // factor, luma.shape[0] // factor
        luma = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    return np.clip(255 * luma + 0.5, 0, 255).astype(np.uint8)


def _moved(
    planes: Float[np.ndarray, "c h w"], flow: Float[np.ndarray, "hp wp 2"], scale: tuple[int, int]
) -> Float[np.ndarray, "c h w"]:
    """Planes of another frame, sampled where the flow leads.

    Args:
      planes: of one size.
      flow: in pixels, for each pixel of the frame.
      scale: pixels that a sample stands for, (y, x).
    """
    height, width = planes.shape[1:]
    if scale != (1, 1):
        flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) / np.array(scale[::-1], np.float32)
    points = grid_points((height, width)) + flow
    border = cv2.BORDER_REPLICATE
    return np.stack([cv2.remap(plane, points, None, cv2.INTER_CUBIC, borderMode=border) for plane in planes])
