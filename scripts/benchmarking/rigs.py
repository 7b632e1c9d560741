"""Cameras cut from a wide clip, so that their homographies, gains and offsets are known."""

import dataclasses
import itertools
from pathlib import Path

import cv2
import numpy as np

from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.features import corners, project
from vdiff_jax.stitching.source import FileSource

SIZE = (640, 360)
_SIZES = ((640, 360), (480, 360), (480, 270), (320, 240))
_LARGEST_LAG = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomRig:
    """A rig with random geometry, gains, noise and offsets.

    Attributes:
      clips: each camera's frames, t h w 3.
      poses: camera pixels → pixels of the wide clip.
      gains: n 3, the factors by which each camera multiplies R, G, B.
      lags: how many frames later than the first each camera starts.
      description: the number and size of the cameras, their overlap, noise, and how many are turned.
    """

    clips: list[np.ndarray]
    poses: list[np.ndarray]
    gains: np.ndarray
    lags: np.ndarray
    description: dict


def first_frames(path: Path, count: int) -> tuple[list[np.ndarray], float]:
    """Returns a clip's first frames and its rate."""
    source = FileSource(path, path.name)
    return [frame for _, frame in itertools.islice(source.frames(), count)], source.rate


def random_rig(wide: list[np.ndarray], seed: int) -> RandomRig:
    """Returns two to four cameras in a row that share 15 to 45 % of their views; some are turned by 90 degrees."""
    rng = np.random.default_rng(seed)
    height, width = wide[0].shape[:2]
    count, size = int(rng.choice([2, 2, 3, 4])), _SIZES[rng.integers(len(_SIZES))]
    overlap = rng.uniform(0.15, 0.45)
    # The row of cameras stays within the wide picture, even with their rolls.
    view = min(0.94 * width / (count - (count - 1) * overlap), 0.8 * height * size[0] / size[1])
    scale = view / size[0]
    noise = float(rng.choice([0, 0, 3, 6, 10]))
    left = (width - view * (count - (count - 1) * overlap)) / 2 + view / 2
    gains = np.exp(rng.uniform(-0.25, 0.25, (count, 1)) + rng.uniform(-0.06, 0.06, (count, 3)))
    starts = rng.integers(0, _LARGEST_LAG + 1, count)
    clips, poses = [], []
    for camera in range(count):
        x, y = left + camera * view * (1 - overlap), height / 2 + rng.uniform(-0.02, 0.02) * height
        roll, zoom, tilt = rng.uniform(-3, 3), scale * rng.uniform(0.97, 1.03), rng.uniform(-0.04, 0.04)
        pose = posed(x, y, size, roll=roll, zoom=zoom, tilt=tilt)
        frames = wide[starts[camera] : len(wide) - _LARGEST_LAG + starts[camera]]
        clip = np.stack([shoot(frame, pose, gains[camera], size) for frame in frames])
        clip = np.rint(np.clip(clip + rng.normal(0, noise, clip.shape), 0, 255)).astype(np.uint8)
        if rng.random() < 0.12:
            clip = np.ascontiguousarray(np.rot90(clip, axes=(1, 2)))
            pose = pose @ np.array([[0, -1, size[0] - 1], [1, 0, 0], [0, 0, 1.0]])
        clips.append(clip)
        poses.append(pose)
    description = {"cameras": count, "size": list(size), "overlap": round(float(overlap), 2), "noise": noise}
    description["turned"] = sum(clip.shape[1] > clip.shape[2] for clip in clips)
    return RandomRig(clips=clips, poses=poses, gains=gains, lags=starts - starts[0], description=description)


def calibration_errors(rig: RandomRig, found: Calibration, rate: float) -> dict:
    """Returns the largest errors of a calibration over all pairs and over all cameras.

    The error of a pair is measured in its first camera's pixels, that of a camera on the reference's plane.
    """

    def error(first: int, second: int) -> float:
        across = np.linalg.solve(found.homographies[0, first], found.homographies[0, second])
        return corner_error(across, np.linalg.solve(rig.poses[first], rig.poses[second]), found.sizes[second])

    others = [camera for camera in range(len(rig.clips)) if camera != found.reference]
    return {
        "corner_error_px": round(max(error(*pair["inputs"]) for pair in found.pairs), 4),
        "corner_error_on_canvas_px": round(max(error(found.reference, camera) for camera in others), 4),
        "offset_error_frames": round(float(np.abs(found.offsets * rate - rig.lags).max()), 3),
        "gain_error": round(float(np.abs(found.gains * rig.gains / rig.gains[0] - 1).max()), 4),
        "moving_rig": len(found.times) > 1,
    }


def posed(
    x: float, y: float, size: tuple[int, int], *, roll: float = 0.0, zoom: float = 1.0, tilt: float = 0.0
) -> np.ndarray:
    """Returns a homography camera → wide pixels: the middle at (x, y), a roll in degrees, a zoom and a perspective."""
    angle = np.deg2rad(roll)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array([[1, 0, -(size[0] - 1) / 2], [0, 1, -(size[1] - 1) / 2], [0, 0, 1]])
    body = np.array([[*turn[0], 0], [*turn[1], 0], [tilt / size[0], 0, 1]])
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) @ body @ middle


def two_poses(width: int, height: int) -> list[np.ndarray]:
    """Returns two cameras that each see about 58 % of the width, with slight perspective and roll."""
    scale = min(0.6 * width / SIZE[0], 0.9 * height / SIZE[1])
    reach = 0.5 * scale * SIZE[0]
    return [
        posed(reach + 8, height / 2, SIZE, roll=0.8, tilt=0.02, zoom=scale),
        posed(min(width - reach - 12, reach * 2.2), height / 2, SIZE, roll=-1.1, tilt=-0.03, zoom=0.97 * scale),
    ]


def shoot(frame: np.ndarray, pose: np.ndarray, gain: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Returns what the camera records of a frame, averaged over the area of each of its pixels."""
    fine = 3
    shift = np.array([[1 / fine, 0, (1 / fine - 1) / 2], [0, 1 / fine, (1 / fine - 1) / 2], [0, 0, 1]])
    large = (size[0] * fine, size[1] * fine)
    view = cv2.warpPerspective(frame, np.linalg.inv(pose @ shift), large, flags=cv2.INTER_CUBIC, borderMode=1)
    small = cv2.resize(view, size, interpolation=cv2.INTER_AREA)
    return np.rint(np.clip(small * gain, 0, 255)).astype(np.uint8)


def corner_error(found: np.ndarray, truth: np.ndarray, size: tuple[int, int] = SIZE) -> float:
    """Returns the median error of the second camera's corners, in the first camera's pixels."""
    frame = corners(*size)
    return float(np.median(np.linalg.norm(project(found, frame) - project(truth, frame), axis=1)))
