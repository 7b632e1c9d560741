"""Rigs of two cameras cut from a synthetic wide scene, so that geometry, gains and offsets are known."""

import dataclasses

import cv2
import numpy as np
import pytest

from vdiff_jax.media import ColourTags, Frame, PixelFormat, VideoInfo, open_writer

WIDE, HIGH = 520, 260
SIZE = (300, 216)
RATE = 20.0


@dataclasses.dataclass(frozen=True)
class Rig:
    """Cameras (t h w 3 each), the wide scene they were cut from, and their homographies camera → wide pixels."""

    clips: list
    wide: np.ndarray
    homographies: list

    def across(self, first: int, second: int) -> np.ndarray:
        """The homography second camera → first camera."""
        return np.linalg.solve(self.homographies[first], self.homographies[second])


def scene(count: int = 24, movers: bool = True) -> np.ndarray:
    """A still, textured wide view, sharp at every scale, with squares that wander at uneven speed."""
    rng = np.random.default_rng(3)
    still = np.zeros((HIGH, WIDE, 3))
    for scale in (4, 8, 16, 40):
        noise = rng.normal(size=(HIGH // scale + 2, WIDE // scale + 2, 3))
        still += cv2.resize(noise, (WIDE, HIGH), interpolation=cv2.INTER_CUBIC) * scale**0.5 * 6
    for _ in range(160):
        x, y, side = rng.integers(0, WIDE), rng.integers(0, HIGH), rng.integers(4, 18)
        cv2.rectangle(still, (int(x), int(y)), (int(x + side), int(y + side)), rng.uniform(-60, 60, 3).tolist(), -1)
    still = np.clip(cv2.GaussianBlur(still, (0, 0), 0.8) + 125, 30, 215)
    frames = np.repeat(still[None], count, axis=0)
    path = np.cumsum(rng.uniform(-6, 6, (6, count + 1, 2)), axis=1)
    start = rng.uniform([170, 30], [350, 230], (6, 2))
    for frame in range(count if movers else 0):
        for mover in range(6):
            x, y = (start[mover] + path[mover, frame]).astype(int)
            cv2.rectangle(frames[frame], (int(x), int(y)), (int(x) + 14, int(y) + 14), (35.0 + 30 * mover,) * 3, -1)
    return np.rint(frames).astype(np.uint8)


def pose(x: float, y: float, *, turn: float = 0.0, scale: float = 1.0, tilt: float = 0.0) -> np.ndarray:
    """The homography camera → wide pixels of a camera whose middle is at (x, y)."""
    width, height = SIZE
    angle = np.deg2rad(turn)
    middle = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1.0]])
    moved = np.array([
        [np.cos(angle) * scale, -np.sin(angle) * scale, 0],
        [np.sin(angle) * scale, np.cos(angle) * scale, 0],
        [tilt / width, 0, 1],
    ])  # fmt: skip
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]]) @ moved @ middle


def shoot(frames: np.ndarray, homography: np.ndarray, gain=1.0) -> np.ndarray:
    """What a camera with this homography and gain records."""
    inverse = np.linalg.inv(homography)
    seen = [cv2.warpPerspective(frame, inverse, SIZE, flags=cv2.INTER_CUBIC, borderMode=1) for frame in frames]
    return np.rint(np.clip(np.stack(seen) * np.asarray(gain), 0, 255)).astype(np.uint8)


LEFT, RIGHT = pose(165, 130, turn=1.0), pose(345, 132, turn=-1.5, scale=0.98, tilt=0.03)


@pytest.fixture(scope="session")
def cameras():
    """The homographies of both cameras, and the function that records from one."""
    return LEFT, RIGHT, shoot


@pytest.fixture(scope="session")
def wide() -> np.ndarray:
    return scene()


@pytest.fixture(scope="session")
def rig(wide) -> Rig:
    """Two cameras; the second one is darker and bluish, and starts four frames later."""
    clips = [shoot(wide[:20], LEFT), shoot(wide[4:], RIGHT, (0.8, 0.85, 0.95))]
    return Rig(clips=clips, wide=wide, homographies=[LEFT, RIGHT])


@pytest.fixture(scope="session")
def estimated(rig):
    """The rig's geometry, estimated from three frames of each camera; gains and offsets are not."""
    from vdiff_jax.stitching.camera_estimation import estimate_cameras

    return estimate_cameras([list(clip[::7]) for clip in rig.clips], ["input 1", "input 2"])


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """The file in which `stitched` saves its calibration."""
    return tmp_path_factory.mktemp("rig") / "rig.json"


@pytest.fixture(scope="session")
def stitched(rig, saved):
    """The rig's panorama, with nothing known beforehand."""
    from vdiff_jax.stitching.stitch import stitch

    return stitch(rig.clips, layout="panorama", rates=[RATE, RATE], calibration=saved)


@pytest.fixture
def known(stitched, saved):
    """The rig's calibration file, for tests of what comes after calibration."""
    return saved


@pytest.fixture(scope="session")
def rotated_rig():
    """Makes the calibration of cameras of 320 × 240 that look side by side, each rolled by some degrees."""
    from scipy.spatial.transform import Rotation

    from vdiff_jax.stitching.bundle_adjustment import camera_matrix
    from vdiff_jax.stitching.calibration import Calibration

    def make(rolls, *, reference, yaw=25.0) -> Calibration:
        count, size, focal = len(rolls), (320, 240), 260.0
        turns = [
            Rotation.from_euler("yz", [yaw * (n - (count - 1) / 2), roll], degrees=True).as_matrix()
            for n, roll in enumerate(rolls)
        ]
        inner = camera_matrix(focal, size)
        homographies = np.stack([inner @ turns[reference].T @ turn @ np.linalg.inv(inner) for turn in turns])
        return Calibration(
            sizes=(size,) * count, reference=reference, homographies=homographies[None], times=np.zeros(1),
            focal=focal, turning=True, offsets=np.zeros(count), gains=np.ones((count, 3)), rms=0.0, pairs=(),
        )  # fmt: skip

    return make


@pytest.fixture
def write(tmp_path):
    """Writes three grey frames with these colour tags."""

    def run(name, *, transfer=1, primaries=1, bits=8):
        pixels = PixelFormat(kind="yuv", bits=bits, subsampling=(2, 2))
        tags = ColourTags(primaries=primaries, transfer=transfer, matrix=1, range=1)
        info = VideoInfo(width=64, height=48, pixels=pixels, tags=tags)
        path = tmp_path / name
        with open_writer(path, info, codec="ffv1") as writer:
            for n in range(3):
                planes = [
                    np.full(shape, (20 + 8 * n) << (bits - 8), pixels.dtype) for shape in pixels.plane_shapes(64, 48)
                ]
                writer.write(Frame(tuple(planes), n))
        return path

    return run
