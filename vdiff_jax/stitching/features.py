"""Features and their matches: SIFT in each frame, and the homography of two cameras by MAGSAC."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Float, UInt8

_PIXELS = 1_500_000  # larger pictures are reduced first: SIFT's time grows with the area, its accuracy does not
_FEATURES = 3000
_RATIO = 0.8  # Lowe's ratio test
_DOUBLED_PIXELS = 250_000  # with `sensitive`, pictures smaller than this are enlarged to double size
_THRESHOLD = 2.0  # MAGSAC's largest inlier error, pixels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Features:
    """SIFT features of one frame.

    Attributes:
      points: x and y in pixels, pixel centres at integers.
      descriptors: RootSIFT, of unit length.
    """

    points: Float[np.ndarray, "n 2"]
    descriptors: Float[np.ndarray, "n 128"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Matches:
    """Matching points of two cameras.

    Attributes:
      first: number of the first camera, from 0.
      second: number of the second camera.
      points: x and y in the first camera, pixels.
      others: x and y of the same things in the second camera.
      homography: first camera → second camera.
      candidates: the number of matches before MAGSAC removed outliers.
    """

    first: int
    second: int
    points: Float[np.ndarray, "n 2"]
    others: Float[np.ndarray, "n 2"]
    homography: Float[np.ndarray, "3 3"]
    candidates: int


def without_matches(first: int, second: int) -> Matches:
    """Returns a pair with no points, for `refine_matches` to find some by comparing the pictures."""
    none = np.zeros((0, 2))
    return Matches(first=first, second=second, points=none, others=none, homography=np.eye(3), candidates=0)


def detect(frame: UInt8[np.ndarray, "h w 3"], *, sensitive: bool = False) -> Features:
    """Detects at most 3,000 SIFT features in an RGB frame.

    Args:
      frame: the picture.
      sensitive: also accept weak and small features, as a thin overlap needs; only for pictures with little noise.

    Source: Lowe, Distinctive Image Features from Scale-Invariant Keypoints, 2004; Arandjelović and Zisserman, Three
    things everyone should know to improve object retrieval, 2012 (RootSIFT).
    """
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    scale = min(1.0, (_PIXELS / grey.size) ** 0.5)
    if sensitive and grey.size < _DOUBLED_PIXELS:
        scale = 2.0
    if scale != 1:
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=interpolation)
    contrast = 0.01 if sensitive else 0.02
    # Without precise upscaling OpenCV's doubled first octave shifts every point by a quarter of a pixel.
    sift = cv2.SIFT_create(nfeatures=_FEATURES, contrastThreshold=contrast, enable_precise_upscale=True)
    keypoints, descriptors = sift.detectAndCompute(grey, None)
    if not keypoints:
        return Features(points=np.zeros((0, 2)), descriptors=np.zeros((0, 128), np.float32))
    points = np.array([keypoint.pt for keypoint in keypoints], np.float64)
    size = np.array([grey.shape[1] / frame.shape[1], grey.shape[0] / frame.shape[0]])
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-9))
    return Features(points=(points + 0.5) / size - 0.5, descriptors=root)


def match(first: Features, second: Features) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
    """Returns the points whose descriptors are each other's nearest neighbours and pass Lowe's ratio test."""
    if min(len(first.points), len(second.points)) < 2:
        return np.zeros((0, 2)), np.zeros((0, 2))
    similarity = first.descriptors @ second.descriptors.T
    nearest = similarity.argmax(axis=1)
    rows = np.arange(len(nearest))
    best = similarity[rows, nearest]
    mutual = similarity.argmax(axis=0)[nearest] == rows
    similarity[rows, nearest] = -1
    runner_up = similarity.max(axis=1)
    # Descriptors have unit length, so |a - b|² = 2 - 2 a·b.
    keep = mutual & (1 - best < _RATIO**2 * (1 - runner_up))
    _, unique = np.unique(np.hstack([first.points[keep], second.points[nearest[keep]]]), axis=0, return_index=True)
    return first.points[keep][unique], second.points[nearest[keep]][unique]


def match_pair(index: tuple[int, int], pairs: list[tuple[Features, Features]]) -> Matches | None:
    """Returns the matches of two cameras over several frames that fit one homography; None if too few fit.

    Args:
      index: the numbers of the two cameras.
      pairs: their features at the same moments.

    Source: Barath et al., MAGSAC++, 2020, as in OpenCV. The number of inliers that must be exceeded follows Brown and
    Lowe, 2007, section 3.2.
    """
    candidates = [match(first, second) for first, second in pairs]
    points = np.concatenate([points for points, _ in candidates])
    others = np.concatenate([others for _, others in candidates])
    if len(points) < 12:
        return None
    homography, inlier = cv2.findHomography(
        points, others, cv2.USAC_MAGSAC, _THRESHOLD, maxIters=10_000, confidence=0.9999
    )
    if homography is None:
        return None
    kept = inlier[:, 0] > 0
    # A still camera repeats its features in every frame, so inliers are counted per frame.
    by_chance = 8 + 0.3 * len(points) / len(pairs)
    if kept.sum() / len(pairs) < by_chance and not _many_places_agree(candidates, homography):
        return None
    if not plausible(homography, points[kept]):
        return None
    return Matches(
        first=index[0], second=index[1], points=points[kept], others=others[kept], homography=homography,
        candidates=len(points),
    )  # fmt: skip


def _many_places_agree(candidates: list, homography: np.ndarray) -> bool:
    """Whether at least 16 distinct places fit the homography, though moving things make most candidates wrong."""
    points = np.concatenate([points for points, _ in candidates])
    others = np.concatenate([others for _, others in candidates])
    close = np.linalg.norm(project(homography, points) - others, axis=1) < 1.0
    places = np.unique((points[close] // 8).astype(int), axis=0)
    return len(places) >= 16 and bool(close.mean() > 0.1)


def plausible(homography: Float[np.ndarray, "3 3"], points: Float[np.ndarray, "n 2"]) -> bool:
    """Whether a homography neither mirrors nor folds the picture, nor changes its scale at the points over six-fold."""
    depth = points @ homography[2, :2] + homography[2, 2]
    area = np.linalg.det(homography) / depth**3
    return bool(
        np.isfinite(area).all() and (depth * depth[0] > 0).all() and (area > 1 / 36).all() and (area < 36).all()
    )


def project(homography: Float[np.ndarray, "3 3"], points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Applies a homography to points."""
    moved = points @ homography[:, :2].T + homography[:, 2]
    return moved[:, :2] / moved[:, 2:]


def corners(width: int, height: int) -> Float[np.ndarray, "4 2"]:
    """Returns the centres of a picture's corner pixels, clockwise from the top left."""
    right, bottom = width - 1.0, height - 1.0
    return np.array([[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]])
