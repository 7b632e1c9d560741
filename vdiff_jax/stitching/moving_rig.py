"""Tracks cameras that move relative to each other: their homographies at key moments, on smooth paths."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float
from scipy.ndimage import correlate1d

from vdiff_jax.stitching import bundle_adjustment
from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.camera_estimation import all_connected, match_all
from vdiff_jax.stitching.features import Features, corners, detect, project, without_matches
from vdiff_jax.stitching.refinement import refine_matches
from vdiff_jax.stitching.source import RGB, NearestFrames, Source, common_start

_INTERVAL = 0.2  # seconds between key moments
_MOVING = 1.5  # pixels: a rig moves if its matches miss one geometry by more, in the median over moments
_OUTLIER = 8.0  # pixels: a corner farther from its neighbours in time is replaced
_SMOOTHING = 1.0  # key moments: the standard deviation of the paths' smoothing


def rig_moves(calibration: Calibration, features: Sequence[Sequence[Features]]) -> bool:
    """Returns whether the features, `features[camera][moment]`, contradict one geometry for all moments."""
    moments = list(zip(*features))
    return len(moments) >= 3 and bool(
        np.median([_median_error([[each] for each in moment], calibration) for moment in moments]) >= _MOVING
    )


def track_rig(sources: Sequence[Source], calibration: Calibration) -> Calibration:
    """Returns the calibration with smooth homographies at key moments, every 0.2 s over the whole length.

    The calibration is returned unchanged if the geometry can be found at fewer than three moments.
    """
    times: list[float] = []
    raw: list[np.ndarray] = []
    last = 0.0
    for last, frames in _key_frames(sources, calibration):
        homographies = _at_moment(frames, calibration, _predicted(last, times, raw, calibration))
        if homographies is not None:
            times.append(last)
            raw.append(homographies)
    if len(times) < 3:
        return calibration
    moments = np.arange(common_start(sources, calibration.offsets), last + 0.5 * _INTERVAL, _INTERVAL)
    known = dataclasses.replace(calibration, homographies=np.stack(raw), times=np.array(times))
    paths = np.stack([known.at(moment) for moment in moments])
    smoothed = smooth_paths(paths, calibration.sizes, _SMOOTHING)
    return dataclasses.replace(calibration, homographies=smoothed, times=moments, turning=False)


def _predicted(
    time: float, times: list[float], raw: list[np.ndarray], calibration: Calibration
) -> Float[np.ndarray, "n 3 3"]:
    """The homographies if the cameras go on as they did over the last two moments."""
    if len(raw) < 2:
        return raw[-1] if raw else calibration.homographies[0]
    return raw[-1] + (raw[-1] - raw[-2]) * (time - times[-1]) / (times[-1] - times[-2])


def smooth_paths(
    homographies: Float[np.ndarray, "k n 3 3"], sizes: Sequence[tuple[int, int]], sigma: float
) -> Float[np.ndarray, "k n 3 3"]:
    """Smooths each camera's path by smoothing the paths of its picture's corners.

    Local linear fits leave a uniform pan and the ends unchanged. A corner that is 8 pixels or more away from the
    position that neighbouring moments predict is replaced by that position first.

    Args:
      homographies: k moments of n cameras.
      sizes: each camera's (width, height).
      sigma: the standard deviation of the smoothing, in moments.

    Source: Liu et al., Bundled Camera Paths for Video Stabilization, 2013; corners as the parameters of a homography
    after Baker, Datta and Kanade, 2006.
    """
    count = len(homographies)
    result = np.empty_like(homographies)
    for camera, size in enumerate(sizes):
        frame = corners(*size)
        paths = np.stack([project(each, frame) for each in homographies[:, camera]])
        predicted = np.stack([_from_neighbours(paths, k) for k in range(count)])
        outliers = np.abs(paths - predicted).max(axis=(1, 2)) > _OUTLIER
        paths[outliers] = predicted[outliers]
        smooth = local_linear_fit(paths, sigma)
        for moment in range(count):
            matrix = cv2.getPerspectiveTransform(frame.astype(np.float32), smooth[moment].astype(np.float32))
            result[moment, camera] = matrix / matrix[2, 2]
    return result


def _from_neighbours(paths: Float[np.ndarray, "k 4 2"], index: int) -> Float[np.ndarray, "4 2"]:
    """The corners' positions by the two moments on each side: their median, moved along the median velocity."""
    near = np.arange(max(0, index - 2), min(len(paths), index + 3))
    velocity = np.median(np.diff(paths[near], axis=0), axis=0)
    return np.median(paths[near] + (index - near)[:, None, None] * velocity, axis=0)


def local_linear_fit(values: Float[np.ndarray, "k ..."], sigma: float) -> Float[np.ndarray, "k ..."]:
    """Returns each value of a line fitted to its neighbours, weighted by a Gaussian of `sigma` values."""
    reach = np.arange(-int(np.ceil(4 * sigma)), int(np.ceil(4 * sigma)) + 1)
    weight = np.exp(-0.5 * (reach / sigma) ** 2)

    def moment(series: np.ndarray, power: int) -> np.ndarray:
        return correlate1d(series, weight * reach**power, axis=0, mode="constant")

    present = np.ones((len(values), *(1,) * (values.ndim - 1)))
    zeroth, first, second = (moment(present, power) for power in range(3))
    return (second * moment(values, 0) - first * moment(values, 1)) / np.maximum(zeroth * second - first**2, 1e-9)


def _key_frames(sources: Sequence[Source], calibration: Calibration) -> Iterator[tuple[float, list[RGB]]]:
    """Every camera's frame at each key moment, until one of them ends."""
    readers = [NearestFrames(source, float(offset)) for source, offset in zip(sources, calibration.offsets)]
    start = common_start(sources, calibration.offsets)
    for moment in itertools.count():
        frames = [reader.at(start + moment * _INTERVAL) for reader in readers]
        if any(frame is None for frame in frames):
            return
        yield start + moment * _INTERVAL, [frame for frame in frames if frame is not None]


def _median_error(features: list[list[Features]], calibration: Calibration) -> float:
    """The median distance in pixels of one moment's matches under the calibration's first geometry."""
    matches = match_all(features)
    if not matches:
        return 0.0
    return float(np.median(np.abs(bundle_adjustment.residuals(calibration.homographies[0], matches))))


def _at_moment(
    frames: Sequence[RGB], calibration: Calibration, predicted: Float[np.ndarray, "n 3 3"]
) -> Float[np.ndarray, "n 3 3"] | None:
    """The homographies at one moment, from features or else from the prediction, refined; None if that fails."""
    count, reference = len(calibration.sizes), calibration.reference
    size = float(max(calibration.sizes[reference]))
    matches = match_all([[detect(frame)] for frame in frames])
    guess = predicted
    if all_connected(matches, count):
        chained = bundle_adjustment.chain_homographies(matches, reference, count)
        guess, _ = bundle_adjustment.adjust_homographies(chained, matches, reference, size)
    else:
        matches = [without_matches(*pair["inputs"]) for pair in calibration.pairs]
    refined = []
    for pair in matches:
        across = np.linalg.solve(guess[pair.second], guess[pair.first])
        refined.append(refine_matches(pair, across, [(frames[pair.first], frames[pair.second])]))
    refined = [pair for pair in refined if len(pair.points)]
    if not all_connected(refined, count):
        return None
    return bundle_adjustment.adjust_homographies(guess, refined, reference, size)[0]
