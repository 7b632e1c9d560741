"""Cameras that move against each other: their homographies at key moments, on a smooth path."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float
from scipy.ndimage import correlate1d

from vdiff_jax.stitching import bundle_adjustment
from vdiff_jax.stitching.calibration import Calibration, all_pairs, connected
from vdiff_jax.stitching.features import Features, corners, detect, project, unknown
from vdiff_jax.stitching.refinement import refine
from vdiff_jax.stitching.source import RGB, Follower, Source

_APART = 0.2  # seconds between key moments
_DRIFT = 1.5  # pixels by which matches must miss a fixed geometry, in the median over moments, before it is given up
_LEAP = 8.0  # pixels
_SMOOTH = 1.0  # key moments, the standard deviation of the path's smoothing


def moves(calibration: Calibration, features: Sequence[Sequence[Features]]) -> bool:
    """Whether the cameras leave the places that a calibration gives them; `features[camera][moment]` tell."""
    moments = list(zip(*features))
    return len(moments) >= 3 and bool(
        np.median([_miss([[each] for each in moment], calibration) for moment in moments]) >= _DRIFT
    )


def follow(sources: Sequence[Source], calibration: Calibration) -> Calibration:
    """The calibration at key moments over the whole length, each camera on a smooth path; itself if that is short."""
    times: list[float] = []
    raw: list[np.ndarray] = []
    last = 0.0
    for last, frames in _key_frames(sources, calibration):
        found = _at_moment(frames, calibration, _expected(last, times, raw, calibration))
        if found is not None:
            times.append(last)
            raw.append(found)
    if len(times) < 3:
        return calibration
    moments = np.arange(float(calibration.offsets.max()), last + 0.5 * _APART, _APART)
    known = dataclasses.replace(calibration, homographies=np.stack(raw), times=np.array(times))
    paths = np.stack([known.at(moment) for moment in moments])
    smoothed = smooth(paths, calibration.sizes, _SMOOTH)
    return dataclasses.replace(calibration, homographies=smoothed, times=moments, turning=False)


def _expected(
    time: float, times: list[float], raw: list[np.ndarray], calibration: Calibration
) -> Float[np.ndarray, "n 3 3"]:
    """Where the cameras will be if they go on as they did over the last two moments."""
    if len(raw) < 2:
        return raw[-1] if raw else calibration.homographies[0]
    return raw[-1] + (raw[-1] - raw[-2]) * (time - times[-1]) / (times[-1] - times[-2])


def smooth(
    homographies: Float[np.ndarray, "k n 3 3"], sizes: Sequence[tuple[int, int]], sigma: float
) -> Float[np.ndarray, "k n 3 3"]:
    """Smooths each camera's path by its corners' paths: local lines, so that a steady pan and the ends stay.

    A corner that leaps away from where its neighbours say it is is put back first.

    Source: Liu et al., Bundled Camera Paths for Video Stabilization, 2013; corners as the parameters of a homography
    after Baker, Datta and Kanade, 2006.
    """
    count = len(homographies)
    result = np.empty_like(homographies)
    for camera, size in enumerate(sizes):
        frame = corners(*size)
        paths = np.stack([project(each, frame) for each in homographies[:, camera]])
        likely = np.stack([_likely(paths, k) for k in range(count)])
        away = np.abs(paths - likely).max(axis=(1, 2)) > _LEAP
        paths[away] = likely[away]
        even = local_lines(paths, sigma)
        for moment in range(count):
            matrix = cv2.getPerspectiveTransform(frame.astype(np.float32), even[moment].astype(np.float32))
            result[moment, camera] = matrix / matrix[2, 2]
    return result


def _likely(paths: Float[np.ndarray, "k 4 2"], index: int) -> Float[np.ndarray, "4 2"]:
    """Where the moments around one say that corners are: their median place, moved on by the median velocity."""
    near = np.arange(max(0, index - 2), min(len(paths), index + 3))
    velocity = np.median(np.diff(paths[near], axis=0), axis=0)
    return np.median(paths[near] + (index - near)[:, None, None] * velocity, axis=0)


def local_lines(values: Float[np.ndarray, "k ..."], sigma: float) -> Float[np.ndarray, "k ..."]:
    """Each value by the line through its neighbours, weighted by a Gaussian of `sigma` values' width."""
    reach = np.arange(-int(np.ceil(4 * sigma)), int(np.ceil(4 * sigma)) + 1)
    weight = np.exp(-0.5 * (reach / sigma) ** 2)

    def moment(series: np.ndarray, power: int) -> np.ndarray:
        return correlate1d(series, weight * reach**power, axis=0, mode="constant")

    there = np.ones((len(values), *(1,) * (values.ndim - 1)))
    zeroth, first, second = (moment(there, power) for power in range(3))
    return (second * moment(values, 0) - first * moment(values, 1)) / np.maximum(zeroth * second - first**2, 1e-9)


def _key_frames(sources: Sequence[Source], calibration: Calibration) -> Iterator[tuple[float, list[RGB]]]:
    """Every camera's frame at key moments, as long as all have one."""
    followers = [Follower(source, float(offset)) for source, offset in zip(sources, calibration.offsets)]
    start = float(calibration.offsets.max())
    for moment in itertools.count():
        frames = [follower.at(start + moment * _APART) for follower in followers]
        if any(frame is None for frame in frames):
            return
        yield start + moment * _APART, [frame for frame in frames if frame is not None]


def _miss(features: list[list[Features]], calibration: Calibration) -> float:
    """How far this moment's own matches lie from where the calibration says, in the median, pixels."""
    found = all_pairs(features)
    if not found:
        return 0.0
    return float(np.median(np.abs(bundle_adjustment.residuals(calibration.homographies[0], found))))


def _at_moment(
    frames: Sequence[RGB], calibration: Calibration, expected: Float[np.ndarray, "n 3 3"]
) -> Float[np.ndarray, "n 3 3"] | None:
    """The rig at one moment: by features or, where these say too little, from where it is expected; then exactly."""
    count, reference = len(calibration.sizes), calibration.reference
    size = float(max(calibration.sizes[reference]))
    found = all_pairs([[detect(frame)] for frame in frames])
    guess = expected
    if connected(found, count):
        guess = bundle_adjustment.adjust(bundle_adjustment.chain(found, reference, count), found, reference, size)[0]
    else:
        found = [unknown(*pair["inputs"]) for pair in calibration.pairs]
    exact = [
        refine(
            pair, np.linalg.solve(guess[pair.second], guess[pair.first]), [(frames[pair.first], frames[pair.second])]
        )
        for pair in found
    ]
    exact = [pair for pair in exact if len(pair.points)]
    return bundle_adjustment.adjust(guess, exact, reference, size)[0] if connected(exact, count) else None
