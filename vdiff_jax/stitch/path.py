"""Cameras that move against each other: their homographies at key moments, on a smooth path."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.stitch import adjustment
from vdiff_jax.stitch.calibration import Calibration, all_pairs
from vdiff_jax.stitch.features import Features, corners, detect, project
from vdiff_jax.stitch.source import Follower, Source

_APART = 0.2  # seconds between key moments
_DRIFT = 1.5  # pixels by which matches must miss a fixed geometry, in the median over moments, before it is given up
_SMOOTH = 1.0  # key moments, the standard deviation of the path's smoothing


def moves(calibration: Calibration, features: Sequence[Sequence[Features]]) -> bool:
    """Whether the cameras leave the places that a calibration gives them; `features[camera][moment]` tell."""
    moments = list(zip(*features))
    return len(moments) >= 3 and bool(
        np.median([_miss([[each] for each in moment], calibration) for moment in moments]) >= _DRIFT
    )


def follow(sources: Sequence[Source], calibration: Calibration) -> Calibration:
    """The calibration at key moments over the whole length, each camera on a smooth path; itself if that is short."""
    times, raw = [], []
    for time, found in _key_features(sources, calibration):
        times.append(time)
        raw.append(_at_moment(found, calibration, raw[-1] if raw else calibration.homographies[0]))
    if len(times) < 3:
        return calibration
    smoothed = smooth(np.stack(raw), calibration.sizes, _SMOOTH)
    return dataclasses.replace(calibration, homographies=smoothed, times=np.array(times), turning=False)


def smooth(
    homographies: Float[np.ndarray, "k n 3 3"], sizes: Sequence[tuple[int, int]], sigma: float
) -> Float[np.ndarray, "k n 3 3"]:
    """Smooths each camera's path by its corners' paths: local lines, so that a steady pan and the ends stay.

    A corner that leaps away from its neighbours' median is put back first.

    Source: Liu et al., Bundled Camera Paths for Video Stabilization, 2013; corners as the parameters of a homography
    after Baker, Datta and Kanade, 2006.
    """
    count = len(homographies)
    distance = np.abs(np.arange(count)[:, None] - np.arange(count))
    weight = _local_lines(np.exp(-0.5 * (distance / sigma) ** 2))
    result = np.empty_like(homographies)
    for camera, size in enumerate(sizes):
        frame = corners(*size)
        paths = np.stack([project(each, frame) for each in homographies[:, camera]])
        window = [np.median(paths[max(0, k - 2) : k + 3], axis=0) for k in range(count)]
        away = np.abs(paths - window).max(axis=(1, 2)) > 8.0
        paths[away] = np.stack(window)[away]
        even = np.einsum("kj,jcd->kcd", weight, paths)
        for moment in range(count):
            matrix = cv2.getPerspectiveTransform(frame.astype(np.float32), even[moment].astype(np.float32))
            result[moment, camera] = matrix / matrix[2, 2]
    return result


def _local_lines(weight: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "k k"]:
    """Turns weights of neighbours into those by which a line fitted around each moment passes through it."""
    away = np.arange(len(weight)) - np.arange(len(weight))[:, None]
    zeroth, first, second = ((weight * away**power).sum(axis=1, keepdims=True) for power in range(3))
    return weight * (second - first * away) / np.maximum(zeroth * second - first**2, 1e-9)


def _key_features(sources: Sequence[Source], calibration: Calibration):
    """Features of every camera at key moments, as long as all have frames."""
    followers = [Follower(source, float(offset)) for source, offset in zip(sources, calibration.offsets)]
    start, moment = float(calibration.offsets.max()), 0
    while True:
        frames = [follower.at(start + moment * _APART) for follower in followers]
        if any(frame is None for frame in frames):
            return
        yield start + moment * _APART, [[detect(frame)] for frame in frames]
        moment += 1


def _miss(features: list[list[Features]], calibration: Calibration) -> float:
    """How far this moment's own matches lie from where the calibration says, in the median, pixels."""
    found = all_pairs(features)
    if not found:
        return 0.0
    return float(np.median(np.abs(adjustment.residuals(calibration.homographies[0], found))))


def _at_moment(
    features: list[list[Features]], calibration: Calibration, before: Float[np.ndarray, "n 3 3"]
) -> Float[np.ndarray, "n 3 3"]:
    """The rig at one moment; as before where the cameras can't be matched."""
    found = all_pairs(features)
    count, reference = len(calibration.sizes), calibration.reference
    joined = {reference}
    for _ in range(count):
        for pair in found:
            if joined & {pair.first, pair.second}:
                joined |= {pair.first, pair.second}
    if len(joined) < count:
        return before
    size = float(max(calibration.sizes[reference]))
    chained = adjustment.chain(found, reference, count)
    return adjustment.adjust(chained, found, reference, size)[0]
