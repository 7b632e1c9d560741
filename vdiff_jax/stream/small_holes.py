"""Fills small holes, such as drop-outs and thin scratches, from around them and from the frames before and after.

`fitted_fill` has the method. This module measures the motion and chooses the samples.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.preprocess.small_holes import WIDTH
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.dis import COARSE, WIENER, dense_flow, make_dis
from vdiff_jax.stream.fitted_fill import fitted_fill, tiles
from vdiff_jax.stream.flow import SMALLEST, FlowFrame
from vdiff_jax.stream.samples import luma_of, mask_at_scale, normalised_step, plane_groups, to_samples
from vdiff_jax.stream.warp import grid_points, warp

REACH = 2
"""Frames in each direction that small holes are filled from."""
_Window = list[AnalysedFrame | None]
_Flow = Float[np.ndarray, "h w 2"]


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
        self._steps: dict[tuple[float, float], _Flow] = {}

    def fill(self, window: _Window) -> AnalysedFrame:
        item = window[REACH]
        assert item is not None
        small = None if item.mask is None else small_holes(item.mask)
        if item.mask is None or small is None or not small.any():
            return item
        neighbours = self._flows(window)
        planes = list(item.frame.planes)
        expected_error = np.where(item.mask, np.float32(np.inf), np.float32(0))
        for scale, numbers in plane_groups(self._pixels):
            hidden, wanted = mask_at_scale(item.mask, scale), mask_at_scale(small, scale)
            here = self._samples(item, numbers)
            there = [
                (self._samples(other, numbers), _error_on_plane(other, scale), _on_plane(flow, scale))
                for other, flow in neighbours
            ]
            for number in numbers:
                planes[number] = planes[number].copy()
            for tile in tiles(wanted):
                moved = [_moved(samples, error, points[tile.seen]) for samples, error, points in there]
                filled, expected = fitted_fill(here[(..., *tile.seen)], hidden[tile.seen], moved)
                own = wanted[tile.own]
                for number, values in zip(numbers, filled):
                    plane = planes[number]
                    samples = values[tile.inner][own] / normalised_step(plane, self._pixels)
                    plane[tile.own][own] = to_samples(samples, plane.dtype, self._pixels)
                if scale == (1, 1):
                    expected_error[tile.own][own] = expected[tile.inner][own]
        frame = dataclasses.replace(item.frame, planes=tuple(planes))
        filled_item = dataclasses.replace(item, frame=frame, error=expected_error)
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
        return np.stack([plane.astype(np.float32) * normalised_step(plane, self._pixels) for plane in planes])

    def _flows(self, window: _Window) -> list[tuple[AnalysedFrame, _Flow]]:
        """The other frames, and where each pixel of the middle frame lies in them; none for tiny frames.

        Motion is measured between successive frames only, and chained. The next window measures only what is new.
        """
        item, flows, steps = window[REACH], [], {}
        assert item is not None
        if min(item.frame.planes[0].shape) < 2 * SMALLEST:
            return flows
        for direction in (-1, 1):
            here, flow = item, None
            for number in range(1, REACH + 1):
                there = window[REACH + direction * number]
                if there is None:
                    break
                times = (here.flow_frame.time, there.flow_frame.time)
                steps[times] = self._steps[times] if times in self._steps else self._measured(here, there)
                flow = steps[times] if flow is None else flow + warp(steps[times], flow)
                flows.append((there, flow))
                here = there
        self._steps = steps
        return flows

    def _measured(self, here: AnalysedFrame, there: AnalysedFrame) -> _Flow:
        """Where each pixel of a frame lies in the next one or in the one before."""
        pictures = (_picture(luma_of(item.frame, self._pixels), 1 if self._fine else 2) for item in (here, there))
        flow = dense_flow(self._dis, *pictures)
        return flow if self._fine else 2 * cv2.resize(flow, here.frame.planes[0].shape[::-1])


def _picture(luma: Float[np.ndarray, "h w"], factor: int) -> UInt8[np.ndarray, "h2 w2"]:
    """Luma as DIS takes it: 8-bit, reduced by a factor."""
    if factor > 1:
        size = luma.shape[1] // factor, luma.shape[0] // factor
        luma = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    return np.clip(255 * luma + 0.5, 0, 255).astype(np.uint8)


def _on_plane(flow: _Flow, scale: tuple[int, int]) -> Float[np.ndarray, "hp wp 2"]:
    """Where each sample of a plane lies in another frame's plane, in samples.

    Args:
      flow: in pixels, for each pixel of the frame.
      scale: pixels that a sample stands for, (y, x).
    """
    points = grid_points(flow.shape[:2]) + flow
    if scale == (1, 1):
        return points
    height, width = (-(-side // step) for side, step in zip(flow.shape, scale))
    flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) / np.array(scale[::-1], np.float32)
    return grid_points((height, width)) + flow


def _error_on_plane(item: AnalysedFrame, scale: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    """The expected error of a plane's samples; of those that stand for several pixels, the largest of these."""
    shape = item.frame.planes[0].shape
    error = np.zeros(shape, np.float32) if item.mask is None else item.expected_error.astype(np.float32)
    if scale == (1, 1):
        return error
    padded = np.pad(error, [(0, -side % step) for side, step in zip(shape, scale)])
    return padded.reshape(len(padded) // scale[0], scale[0], -1, scale[1]).max(axis=(1, 3))


def _moved(
    planes: Float[np.ndarray, "c hp wp"], error: Float[np.ndarray, "hp wp"], points: Float[np.ndarray, "h w 2"]
) -> tuple[Float[np.ndarray, "c h w"], Float[np.ndarray, "h w"]]:
    """Planes and their expected error, sampled at a grid of points (x, y)."""
    border, points = cv2.BORDER_REPLICATE, np.ascontiguousarray(points)
    samples = [cv2.remap(plane, points, None, cv2.INTER_CUBIC, borderMode=border) for plane in planes]
    return np.stack(samples), cv2.remap(error, points, None, cv2.INTER_NEAREST, borderMode=border)
