"""Matches to a hundredth of a pixel: where features say roughly, the pictures themselves say exactly."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from vdiff_jax.stitching.features import Matches, project

_CORNERS = 1500  # points over all moments
_STILL = 0.5  # pixels by which the whole picture of a camera on a stand may seem to move
_WINDOW = 21  # pixels around a point that are compared
_MARGIN = 7  # pixels that points keep from where the common view ends
_FARTHEST = 6.0  # pixels by which the features' geometry may be wrong
_RETURNED = 0.2  # pixels by which the way there and back may miss
_FEWEST = 24
_BLACK, _WHITE = 12, 243  # code values past which a camera clips, or its black level counts
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 0.001)

Grey = UInt8[np.ndarray, "h w"]


def background(view: Sequence[UInt8[np.ndarray, "h w 3"]]) -> UInt8[np.ndarray, "h w 3"] | None:
    """What a camera on a stand always sees, free of noise and of what passes; None for one that moves."""
    # Smoothed: noise must not say where the picture is, nor interpolation seem to bring it closer by averaging noise.
    greys = [
        cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.5) for frame in view
    ]
    window = cv2.createHanningWindow(greys[0].shape[::-1], cv2.CV_32F)
    # Copies: OpenCV multiplies what it is given by the window where its sizes suit the transform.
    shifts = [cv2.phaseCorrelate(greys[0].copy(), grey.copy(), window)[0] for grey in greys[1:]]
    if any(_moved(greys[0], grey, shift) for grey, shift in zip(greys[1:], shifts)):
        return None
    return np.median(np.stack(view), axis=0).astype(np.uint8)


def _moved(first: Float[np.ndarray, "h w"], later: Float[np.ndarray, "h w"], shift: tuple[float, float]) -> bool:
    """Whether a shift is one of the picture: of noise, or of a large thing that passes, it would make nothing agree."""
    if np.hypot(*shift) <= _STILL:
        return False
    back = cv2.warpAffine(
        later, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), later.shape[::-1],
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return bool(np.median(np.abs(back - first)) < 0.95 * np.median(np.abs(later - first)))


def refine(
    pair: Matches,
    across: Float[np.ndarray, "3 3"],
    moments: Sequence[tuple[UInt8[np.ndarray, "_h _w 3"], UInt8[np.ndarray, "_h2 _w2 3"]]],
) -> Matches:
    """A pair's matches found anew: the second camera is drawn as the first one sees it, and what is left is measured.

    Features scatter by a few tenths of a pixel, which a thin overlap turns into pixels at the far corners.

    Args:
      pair: matches by features; returned as they are where there is too little to compare.
      across: the first camera's pixels → the second's, right to a few pixels.
      moments: RGB frames of both at the same times.

    Source: Lucas and Kanade, An Iterative Image Registration Technique, 1981, and Bouguet's pyramids of it, 2000, by
    OpenCV; the way there and back after Kalal et al., Forward-Backward Error, 2010.
    """
    most = max(100, _CORNERS // max(1, len(moments)))
    found = [_points(*_alike(first, second, across), most) for first, second in moments]
    points = np.concatenate([points for points, _ in found])
    moved = np.concatenate([moved for _, moved in found])
    if len(points) < _FEWEST:
        return pair
    return dataclasses.replace(pair, points=points, others=project(across, moved))


def _alike(
    first: UInt8[np.ndarray, "h w 3"], second: UInt8[np.ndarray, "_h _w 3"], across: Float[np.ndarray, "3 3"]
) -> tuple[Grey, Grey, Bool[np.ndarray, "h w"]]:
    """The first picture, the second one moved onto it and as bright, both clipped alike, and where both see."""
    size, back = first.shape[1::-1], cv2.WARP_INVERSE_MAP
    # OpenCV's cubic shifts smooth slopes by up to 0.05 pixels (a = -0.75), Lanczos by less than 0.01.
    moved = cv2.warpPerspective(second, across, size, flags=cv2.INTER_LANCZOS4 | back, borderMode=cv2.BORDER_REPLICATE)
    within = np.ones(second.shape[:2], np.uint8)
    seen = cv2.warpPerspective(within, across, size, flags=cv2.INTER_NEAREST | back) > 0
    gain = _gain(first[seen], moved[seen]) if seen.any() else np.ones(3)
    white = np.minimum(_WHITE, _WHITE * gain)
    one, other = (np.minimum(frame, white).astype(np.float32) for frame in (first, moved * gain))
    # Beyond the common view nothing disagrees: windows may reach over its edge.
    pair = one, np.where(seen[..., None], other, one)
    grey, moved_grey = (np.rint(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY)).astype(np.uint8) for each in pair)
    return grey, moved_grey, seen


def _gain(one: UInt8[np.ndarray, "n 3"], other: UInt8[np.ndarray, "n 3"]) -> Float[np.ndarray, " 3"]:
    """The median ratio of each channel's samples that neither camera clips."""
    fair = (np.minimum(one, other) > _BLACK) & (np.maximum(one, other) < _WHITE)
    ratios = [one[use, channel] / other[use, channel] for channel, use in enumerate(fair.T)]
    return np.array([np.median(ratio) if len(ratio) else 1.0 for ratio in ratios])


def _points(
    one: Grey, other: Grey, seen: Bool[np.ndarray, "h w"], most: int
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
    """Corners of one picture, and where the other has them."""
    kernel = np.ones((2 * _MARGIN + 1,) * 2, np.uint8)
    inner = cv2.erode(seen.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    # Spread over the whole common view, weak ones too: what lies at its ends decides about the far corners.
    apart = max(3.0, 0.9 * float(inner.sum() / most) ** 0.5)
    start = cv2.goodFeaturesToTrack(one, most, 1e-4, apart, mask=inner)
    if start is None:
        return np.zeros((0, 2)), np.zeros((0, 2))
    settings = {"winSize": (_WINDOW, _WINDOW), "maxLevel": 1, "criteria": _STOP}
    there, kept, _ = cv2.calcOpticalFlowPyrLK(one, other, start, None, **settings)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(other, one, there, None, **settings)
    start, there, back = (each[:, 0].astype(np.float64) for each in (start, there, back))
    good = (kept[:, 0] > 0) & (returned[:, 0] > 0)
    good &= np.linalg.norm(back - start, axis=1) < _RETURNED
    good &= np.linalg.norm(there - start, axis=1) < _FARTHEST
    # The mean of both ways.
    moved = there + 0.5 * (start - back)
    return start[good], moved[good]
