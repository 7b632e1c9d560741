"""Refines matches to a hundredth of a pixel by comparing the pictures themselves (Lucas-Kanade)."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from vdiff_jax.stitching.features import Matches, project

_MOST_POINTS = 1500  # over all moments
_STATIC = 0.5  # pixels: a camera whose picture shifts by less counts as standing still
_WINDOW = 21  # pixels: the width of the patches that are compared
_MARGIN = 7  # pixels between a point and the edge of the common view
_FARTHEST = 6.0  # pixels: the largest error of the features' geometry
_ROUND_TRIP = 0.2  # pixels: the largest error of tracking forward and back
_FEWEST_POINTS = 24
_BLACK, _WHITE = 12, 243  # code values: outside, a camera clips or its black level counts
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 0.001)

Grey = UInt8[np.ndarray, "h w"]


def static_background(view: Sequence[UInt8[np.ndarray, "h w 3"]]) -> UInt8[np.ndarray, "h w 3"] | None:
    """Returns the median of a fixed camera's frames, without noise and moving objects; None if the camera moves."""
    # Without smoothing, noise would dominate the correlation, and interpolation would lower the error by averaging it.
    greys = [
        cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5) for frame in view
    ]
    window = cv2.createHanningWindow(greys[0].shape[::-1], cv2.CV_32F)
    # Copies, because OpenCV multiplies its inputs by the window in place if their size suits the transform.
    shifts = [cv2.phaseCorrelate(greys[0].copy(), grey.copy(), window)[0] for grey in greys[1:]]
    if any(_camera_moved(greys[0], grey, shift) for grey, shift in zip(greys[1:], shifts)):
        return None
    return np.median(np.stack(view), axis=0).astype(np.uint8)


def _camera_moved(first: Float[np.ndarray, "h w"], later: Float[np.ndarray, "h w"], shift: tuple[float, float]) -> bool:
    """Whether undoing the shift makes the pictures agree better; a shift due to noise or moving objects fails this."""
    if np.hypot(*shift) <= _STATIC:
        return False
    back = cv2.warpAffine(
        later, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), later.shape[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return bool(np.median(np.abs(back - first)) < 0.95 * np.median(np.abs(later - first)))


def refine_matches(
    pair: Matches,
    across: Float[np.ndarray, "3 3"],
    moments: Sequence[tuple[UInt8[np.ndarray, "_h _w 3"], UInt8[np.ndarray, "_h2 _w2 3"]]],
) -> Matches:
    """Replaces a pair's matches: warps the second camera onto the first and tracks points between the two pictures.

    Features scatter by a few tenths of a pixel. In a thin overlap that becomes whole pixels at the far corners.

    Args:
      pair: the matches so far; returned unchanged if fewer than 24 points can be tracked.
      across: homography first camera → second camera, right to a few pixels.
      moments: RGB frames of both cameras at the same times.

    Source: Lucas and Kanade, An Iterative Image Registration Technique, 1981, with Bouguet's pyramids, 2000, as in
    OpenCV; tracking forward and back follows Kalal et al., Forward-Backward Error, 2010.
    """
    most = max(100, _MOST_POINTS // max(1, len(moments)))
    tracked = [_track(*_align(first, second, across), most) for first, second in moments]
    points = np.concatenate([points for points, _ in tracked])
    moved = np.concatenate([moved for _, moved in tracked])
    if len(points) < _FEWEST_POINTS:
        return pair
    return dataclasses.replace(pair, points=points, others=project(across, moved))


def _align(
    first: UInt8[np.ndarray, "h w 3"], second: UInt8[np.ndarray, "_h _w 3"], across: Float[np.ndarray, "3 3"]
) -> tuple[Grey, Grey, Bool[np.ndarray, "h w"]]:
    """The first picture, the second one warped onto it with equal brightness and clipping, and where both are valid."""
    size, back = first.shape[1::-1], cv2.WARP_INVERSE_MAP
    # OpenCV's bicubic kernel shifts smooth slopes by up to 0.05 pixels (a = -0.75), Lanczos by less than 0.01.
    moved = cv2.warpPerspective(second, across, size, flags=cv2.INTER_LANCZOS4 | back, borderMode=cv2.BORDER_REPLICATE)
    within = np.ones(second.shape[:2], np.uint8)
    seen = cv2.warpPerspective(within, across, size, flags=cv2.INTER_NEAREST | back) > 0
    gain = _gain(first[seen], moved[seen]) if seen.any() else np.ones(3)
    white = np.minimum(_WHITE, _WHITE * gain)
    one, other = (np.minimum(frame, white).astype(np.float32) for frame in (first, moved * gain))
    # Outside the common view the pictures are made equal, so that windows may reach over its edge.
    pair = one, np.where(seen[..., None], other, one)
    grey, moved_grey = (np.rint(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY)).astype(np.uint8) for each in pair)
    return grey, moved_grey, seen


def _gain(one: UInt8[np.ndarray, "n 3"], other: UInt8[np.ndarray, "n 3"]) -> Float[np.ndarray, " 3"]:
    """The median ratio of each channel, over samples that neither camera clips."""
    fair = (np.minimum(one, other) > _BLACK) & (np.maximum(one, other) < _WHITE)
    ratios = [one[use, channel] / other[use, channel] for channel, use in enumerate(fair.T)]
    return np.array([np.median(ratio) if len(ratio) else 1.0 for ratio in ratios])


def _track(
    one: Grey, other: Grey, seen: Bool[np.ndarray, "h w"], most: int
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
    """Corners of one picture, and their positions in the other."""
    kernel = np.ones((2 * _MARGIN + 1,) * 2, np.uint8)
    inner = cv2.erode(seen.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    # Points cover the whole common view, weak ones too: those at its ends determine the far corners.
    apart = max(3.0, 0.9 * float(inner.sum() / most) ** 0.5)
    start = cv2.goodFeaturesToTrack(one, most, 1e-4, apart, mask=inner)
    if start is None:
        return np.zeros((0, 2)), np.zeros((0, 2))
    settings = {"winSize": (_WINDOW, _WINDOW), "maxLevel": 1, "criteria": _STOP}
    there, kept, _ = cv2.calcOpticalFlowPyrLK(one, other, start, None, **settings)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(other, one, there, None, **settings)
    start, there, back = (each[:, 0].astype(np.float64) for each in (start, there, back))
    good = (kept[:, 0] > 0) & (returned[:, 0] > 0)
    good &= np.linalg.norm(back - start, axis=1) < _ROUND_TRIP
    good &= np.linalg.norm(there - start, axis=1) < _FARTHEST
    # The mean of tracking forward and back.
    moved = there + 0.5 * (start - back)
    return start[good], moved[good]
