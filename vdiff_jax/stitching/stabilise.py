"""Stabilises a rig that is carried as a whole, so that the panorama does not shake."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.moving_rig import local_linear_fit
from vdiff_jax.stitching.source import NearestFrames, Source, common_start

_WIDTH = 480  # pixels: frames are reduced to this width before motion is measured
_SMOOTHING = 0.6  # seconds: the standard deviation of the path's smoothing
_LEAST_SHAKE = 0.4  # pixels: a path closer to the smooth one, in the mean, does not shake
_MOST_POINTS = 250
_FEWEST_POINTS = 12  # that must agree on a motion


def stabilise(sources: Sequence[Source], calibration: Calibration) -> Calibration:
    """Returns the calibration with homographies for every frame that cancel the shake of the reference camera.

    Pans remain, but smoother. The calibration is returned unchanged if nothing shakes.

    Args:
      sources: the cameras.
      calibration: with one geometry or with key moments.

    Source: Grundmann et al., Auto-Directed Video Stabilization with Robust L1 Optimal Camera Paths, 2011, with a
    Gaussian instead of their linear program; similarities as in Matsushita et al., 2006.
    """
    source = sources[calibration.reference]
    rate = sources[0].rate
    start = common_start(sources, calibration.offsets)
    frames = _grey_frames(NearestFrames(source, float(calibration.offsets[calibration.reference])), start, rate)
    middle = (np.array(source.size) - 1) / 2
    path = [np.eye(3)]
    for before, now in itertools.pairwise(frames):
        path.append(path[-1] @ frame_motion(before, now, source.size[0] / now.shape[1]))
    poses = np.stack([_pose(each, middle) for each in path])
    poses[:, 2] = np.unwrap(poses[:, 2])
    smooth = local_linear_fit(poses, min(_SMOOTHING * rate, len(poses) / 4))
    before, after = shake(poses), shake(smooth)
    if len(poses) < 8 or np.linalg.norm((poses - smooth)[:, :2], axis=1).mean() < _LEAST_SHAKE:
        return calibration
    times = start + np.arange(len(poses)) / rate
    corrections = [np.linalg.solve(_similarity(pose, middle), each) for pose, each in zip(smooth, path)]
    homographies = np.stack([each @ calibration.at(time) for each, time in zip(corrections, times)])
    homographies = homographies / homographies[..., 2:, 2:]
    return dataclasses.replace(
        calibration, homographies=homographies, times=times, turning=False, shake=(before, after)
    )


def shake(poses: Float[np.ndarray, "k 4"]) -> float:
    """Returns the mean change of the velocity of the picture's middle from frame to frame, in pixels."""
    return float(np.linalg.norm(np.diff(poses[:, :2], n=2, axis=0), axis=1).mean()) if len(poses) > 2 else 0.0


def frame_motion(
    before: UInt8[np.ndarray, "h w"], now: UInt8[np.ndarray, "h w"], scale: float
) -> Float[np.ndarray, "3 3"]:
    """Returns the similarity later picture → earlier picture; the identity if too few points agree, as at a cut.

    Args:
      before: the earlier picture, grey.
      now: the later one.
      scale: pixels of the result per pixel of these pictures.
    """
    start = cv2.goodFeaturesToTrack(before, _MOST_POINTS, 0.005, 8)
    if start is None:
        return np.eye(3)
    there, kept, _ = cv2.calcOpticalFlowPyrLK(before, now, start, None)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(now, before, there, None)
    good = (kept[:, 0] > 0) & (returned[:, 0] > 0) & (np.linalg.norm(back - start, axis=(1, 2)) < 0.5)
    if good.sum() < _FEWEST_POINTS:
        return np.eye(3)
    similarity, agree = cv2.estimateAffinePartial2D(
        (there[good] + 0.5) * scale - 0.5, (start[good] + 0.5) * scale - 0.5, ransacReprojThreshold=scale
    )
    if similarity is None or agree.sum() < max(_FEWEST_POINTS, 0.3 * good.sum()):
        return np.eye(3)
    return np.vstack([similarity, [0, 0, 1]])


def _grey_frames(reader: NearestFrames, start: float, rate: float) -> Iterator[UInt8[np.ndarray, "h w"]]:
    """A camera's frames at the panorama's times, small and grey."""
    for index in itertools.count():
        frame = reader.at(start + index / rate)
        if frame is None:
            return
        scale = min(1.0, _WIDTH / frame.shape[1])
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def _pose(similarity: Float[np.ndarray, "3 3"], middle: Float[np.ndarray, " 2"]) -> Float[np.ndarray, " 4"]:
    """The parameters of a similarity: where it maps the middle, its angle, the logarithm of its scale."""
    x, y = similarity[:2, :2] @ middle + similarity[:2, 2]
    across, down = similarity[:2, 0]
    return np.array([x, y, np.arctan2(down, across), np.log(np.hypot(across, down))])


def _similarity(pose: Float[np.ndarray, " 4"], middle: Float[np.ndarray, " 2"]) -> Float[np.ndarray, "3 3"]:
    """The similarity with these parameters."""
    x, y, angle, size = pose
    turn = np.exp(size) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.vstack([np.column_stack([turn, [x, y] - turn @ middle]), [0, 0, 1]])
