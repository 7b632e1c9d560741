"""A rig that is carried: the way that it goes as a whole is smoothed, so that the panorama doesn't shake."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.moving_rig import local_lines
from vdiff_jax.stitching.source import Follower, Source

_WIDTH = 480  # pixels to which frames are reduced for their motion
_CALM = 0.6  # seconds, the standard deviation of the smoothing
_LEAST = 0.4  # pixels from the smooth way, in the mean, that are a shake
_CORNERS = 250
_FEWEST = 12  # of them that must agree on a motion


def steady(sources: Sequence[Source], calibration: Calibration) -> Calibration:
    """The calibration for every moment of the panorama, the whole turned and moved against the shake of its reference.

    Pans stay, calmer. Returned as it is where nothing shakes.

    Args:
      sources: the cameras.
      calibration: of one moment, or of several.

    Source: Grundmann et al., Auto-Directed Video Stabilization with Robust L1 Optimal Camera Paths, 2011, with a
    Gaussian instead of their linear program; similarities as in Matsushita et al., 2006.
    """
    source = sources[calibration.reference]
    rate = sources[0].rate
    start = float(calibration.offsets.max())
    frames = _shown(Follower(source, float(calibration.offsets[calibration.reference])), start, rate)
    middle = (np.array(source.size) - 1) / 2
    way = [np.eye(3)]
    for before, now in itertools.pairwise(frames):
        way.append(way[-1] @ motion(before, now, source.size[0] / now.shape[1]))
    poses = np.stack([_parts(each, middle) for each in way])
    poses[:, 2] = np.unwrap(poses[:, 2])
    smooth = local_lines(poses, min(_CALM * rate, len(poses) / 4))
    before, after = shake(poses), shake(smooth)
    if len(poses) < 8 or np.linalg.norm((poses - smooth)[:, :2], axis=1).mean() < _LEAST:
        return calibration
    times = start + np.arange(len(poses)) / rate
    against = [np.linalg.solve(_whole(calm, middle), each) for calm, each in zip(smooth, way)]
    homographies = np.stack([each @ calibration.at(time) for each, time in zip(against, times)])
    homographies = homographies / homographies[..., 2:, 2:]
    return dataclasses.replace(
        calibration, homographies=homographies, times=times, turning=False, shake=(before, after)
    )


def shake(poses: Float[np.ndarray, "k 4"]) -> float:
    """How much the velocity of the picture's middle changes from frame to frame, in the mean, pixels."""
    return float(np.linalg.norm(np.diff(poses[:, :2], n=2, axis=0), axis=1).mean()) if len(poses) > 2 else 0.0


def motion(before: UInt8[np.ndarray, "h w"], now: UInt8[np.ndarray, "h w"], scale: float) -> Float[np.ndarray, "3 3"]:
    """The similarity that takes most of a picture's points to where they were; none where few agree, as at a cut.

    Args:
      before: the earlier picture, grey.
      now: the later one.
      scale: pixels of the result's coordinates per pixel of the pictures.
    """
    start = cv2.goodFeaturesToTrack(before, _CORNERS, 0.005, 8)
    if start is None:
        return np.eye(3)
    there, kept, _ = cv2.calcOpticalFlowPyrLK(before, now, start, None)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(now, before, there, None)
    good = (kept[:, 0] > 0) & (returned[:, 0] > 0) & (np.linalg.norm(back - start, axis=(1, 2)) < 0.5)
    if good.sum() < _FEWEST:
        return np.eye(3)
    found, agree = cv2.estimateAffinePartial2D(
        (there[good] + 0.5) * scale - 0.5, (start[good] + 0.5) * scale - 0.5, ransacReprojThreshold=scale
    )
    if found is None or agree.sum() < max(_FEWEST, 0.3 * good.sum()):
        return np.eye(3)
    return np.vstack([found, [0, 0, 1]])


def _shown(follower: Follower, start: float, rate: float) -> Iterator[UInt8[np.ndarray, "h w"]]:
    """A camera's frames as the panorama shows them, small and grey."""
    for index in itertools.count():
        frame = follower.at(start + index / rate)
        if frame is None:
            return
        scale = min(1.0, _WIDTH / frame.shape[1])
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)


def _parts(similarity: Float[np.ndarray, "3 3"], middle: Float[np.ndarray, " 2"]) -> Float[np.ndarray, " 4"]:
    """Where a similarity takes the middle, its angle, and the logarithm of its scale."""
    x, y = similarity[:2, :2] @ middle + similarity[:2, 2]
    across, down = similarity[:2, 0]
    return np.array([x, y, np.arctan2(down, across), np.log(np.hypot(across, down))])


def _whole(parts: Float[np.ndarray, " 4"], middle: Float[np.ndarray, " 2"]) -> Float[np.ndarray, "3 3"]:
    """The similarity of these parts."""
    x, y, angle, size = parts
    turn = np.exp(size) * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.vstack([np.column_stack([turn, [x, y] - turn @ middle]), [0, 0, 1]])
