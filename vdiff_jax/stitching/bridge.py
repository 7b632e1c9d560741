"""Frames between two clips: they move along the optical flow where the clips match, and dissolve where they do not."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.stitching.source import RGB
from vdiff_jax.stream.dis import MEDIUM, dense_flow, make_dis
from vdiff_jax.stream.warp import warp

_LOOP = 2.0
"""Flow is right where its forward-backward error is smaller than this, in pixels,"""
_DIFFERENCE = 25.0
"""and where the frames, one moved to the other, differ by less than this, in 8-bit units."""
_REGION = 1 / 10
"""The sigma of a region, as a share of the picture's width."""
_DIFFERENT, _ALIKE = 0.05, 0.2
"""Below the first share of right flow a region dissolves; above the second it moves.

Frames of different scenes have at most 0.02 in the mean, frames of one scene that are 4 frames apart at least 0.25."""

Flow = Float[np.ndarray, "h w 2"]


def flow_bridge(first: RGB, second: RGB, count: int) -> list[RGB]:
    """Returns `count` frames between two: both are warped along the optical flow and cross-faded.

    Where forward and backward flow disagree, nothing is warped.

    Source: Kroeger et al., Fast Optical Flow using Dense Inverse Search, 2016, as in OpenCV.
    """
    there, back = _both_flows(first, second)
    alike = _alike(first, second, there, back)
    there, back = _consistent_flow(there, back) * alike, _consistent_flow(back, there) * alike
    parts = [(warp(first, -share * there), warp(second, (share - 1) * back)) for share in shares(count)]
    return [cv2.addWeighted(one, 1 - share, other, share, 0) for share, (one, other) in zip(shares(count), parts)]


def dissolve_where_unlike(first: RGB, second: RGB, frames: Sequence[RGB]) -> list[RGB]:
    """The frames between two, replaced by a dissolve in regions where hardly any flow between the two is right.

    Args:
      first, second: the two frames.
      frames: evenly spaced between them, made in another way, such as by the network.
    """
    alike = _alike(first, second, *_both_flows(first, second))
    result = []
    for share, frame in zip(shares(len(frames)), frames):
        dissolved = cv2.addWeighted(first, 1 - share, second, share, 0).astype(np.float32)
        result.append(np.rint(dissolved + alike * (frame - dissolved)).astype(np.uint8))
    return result


def shares(count: int) -> list[float]:
    """The times of `count` evenly spaced frames between two, 0 at the first one and 1 at the second."""
    return [index / (count + 1) for index in range(1, count + 1)]


def _both_flows(first: RGB, second: RGB) -> tuple[Flow, Flow]:
    search = make_dis(MEDIUM)
    one, other = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second))
    return dense_flow(search, one, other), dense_flow(search, other, one)


def _alike(first: RGB, second: RGB, there: Flow, back: Flow) -> Float[np.ndarray, "h w 1"]:
    """0 in regions where the two frames show different things, 1 where one shows the other, moved."""
    difference = cv2.blur(np.abs(first.astype(np.float32) - warp(second, there)).mean(axis=-1), (9, 9))
    right = (_loop_error(there, back) < _LOOP) & (difference < _DIFFERENCE)
    share = cv2.GaussianBlur(right.astype(np.float32), (0, 0), max(1.0, _REGION * right.shape[1]))
    return np.clip((share - _DIFFERENT) / (_ALIKE - _DIFFERENT), 0, 1)[..., None]


def _consistent_flow(there: Flow, back: Flow) -> Flow:
    """The flow, fading to 0 where it and the flow back disagree."""
    good = (_loop_error(there, back) < _LOOP).astype(np.float32)
    return there * cv2.GaussianBlur(good, (0, 0), 3)[..., None]


def _loop_error(there: Flow, back: Flow) -> Float[np.ndarray, "h w"]:
    """How far from its beginning the way there and back ends, in pixels."""
    return np.linalg.norm(there + warp(back, there), axis=-1)
