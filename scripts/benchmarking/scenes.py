"""Clean scenes from a folder. Each video in it is a scene, and each folder of pictures."""

import math
from pathlib import Path

import cv2
import numpy as np

VIDEOS = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".y4m"}
PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}


def find_scenes(folder: Path, names: list[str] | None = None) -> dict[str, Path]:
    """The scenes' paths by name: the name of the video without its ending, or of the folder.

    Args:
      folder: where the scenes are.
      names: the scenes to return, in this order; None returns all, sorted.

    Raises:
      SystemExit: the folder holds no scene, or not the ones named.
    """
    paths = [path for path in sorted(folder.iterdir()) if path.is_dir() or path.suffix.lower() in VIDEOS]
    found = {path.stem if path.is_file() else path.name: path for path in paths}
    if not found:
        raise SystemExit(f"no scenes in {folder}: pass a folder that holds videos, or folders of pictures")
    unknown = [name for name in names or [] if name not in found]
    if unknown:
        raise SystemExit(f"no scene {', '.join(unknown)} in {folder}: choose from {', '.join(found)}")
    return {name: found[name] for name in names or found}


def read_scene(path: Path, count: int, size: tuple[int, int]) -> np.ndarray:
    """The first `count` frames of a scene, uint8 RGB `t h w 3`.

    Frames larger than `size` (width, height) are reduced by area averaging to fit it; smaller ones are not enlarged.
    An odd width or height loses its last column or row, because 4:2:0 chroma needs even sizes.

    Raises:
      ValueError: the scene has no frames.
    """
    frames = _pictures(path, count) if path.is_dir() else _video(path, count)
    if not frames:
        raise ValueError(f"no frames in {path}")
    height, width = frames[0].shape[:2]
    scale = min(size[0] / width, size[1] / height)
    if scale < 1:
        fitted = 2 * round(width * scale / 2), 2 * round(height * scale / 2)
        frames = [cv2.resize(frame, fitted, interpolation=cv2.INTER_AREA) for frame in frames]
    return np.stack([frame[: len(frame) // 2 * 2, : frame.shape[1] // 2 * 2] for frame in frames])


def _video(path: Path, count: int) -> list[np.ndarray]:
    capture, frames = cv2.VideoCapture(str(path)), []
    while len(frames) < count:
        read, frame = capture.read()
        if not read:
            break
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
    capture.release()
    return frames


def _pictures(path: Path, count: int | None) -> list[np.ndarray]:
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)[:count]
    return [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files]


def read_frames(folder: Path) -> np.ndarray:
    """All pictures of a folder in the order of their names, uint8 RGB `t h w 3`."""
    return np.stack(_pictures(folder, None))


def read_masks(folder: Path) -> np.ndarray:
    """All masks of a folder in the order of their names, bool `t h w`."""
    return np.stack([cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) > 127 for file in sorted(folder.glob("*.png"))])


def write_frames(folder: Path, frames: np.ndarray, numbers: list[int] | None = None) -> None:
    """Writes frames `t h w 3` (uint8 RGB) or masks `t h w` (bool) as PNGs named by their numbers (0, 1, ... if None).

    They are written to a folder beside it, which is renamed at the end. So `folder` is complete or does not exist.

    Raises:
      OSError: a picture cannot be written.
    """
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    digits = max(5, int(math.log10(max(len(frames), 1))) + 1)
    for number, frame in zip(numbers or range(len(frames)), frames):
        picture = frame.astype(np.uint8) * 255 if frame.dtype == bool else frame[..., ::-1]
        if not cv2.imwrite(str(part / f"{number:0{digits}d}.png"), picture):
            raise OSError(f"cannot write to {part}")
    part.rename(folder)
