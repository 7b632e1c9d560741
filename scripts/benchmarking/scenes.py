"""Clean scenes from a folder: each video or folder of pictures in it is one."""

import math
from pathlib import Path

import cv2
import numpy as np

VIDEOS = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".y4m"}
PICTURES = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"}


def find_scenes(folder: Path) -> dict[str, Path]:
    """Paths by name (the file's or folder's, without an ending), sorted."""
    found = [path for path in sorted(folder.iterdir()) if path.is_dir() or path.suffix.lower() in VIDEOS]
    return {path.stem if path.is_file() else path.name: path for path in found}


def read_scene(path: Path, count: int, size: tuple[int, int]) -> np.ndarray:
    """Its first `count` frames, uint8 RGB `t h w 3`, reduced by area to fit (width, height); never enlarged.

    Odd sizes lose a row or a column, for 4:2:0 has none.

    Raises:
      ValueError: there are no frames in it.
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
    """All masks of a folder, bool `t h w`."""
    return np.stack([cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) > 127 for file in sorted(folder.glob("*.png"))])


def write_frames(folder: Path, frames: np.ndarray, names: list[int] | None = None) -> None:
    """PNGs of frames `t h w 3` (RGB) or masks `t h w` (bool), named by their number; a folder is there whole or not."""
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    digits = max(5, int(math.log10(max(len(frames), 1))) + 1)
    for number, frame in zip(names or range(len(frames)), frames):
        picture = frame.astype(np.uint8) * 255 if frame.dtype == bool else frame[..., ::-1]
        if not cv2.imwrite(str(part / f"{number:0{digits}d}.png"), picture):
            raise OSError(f"can't write to {part}")
    part.rename(folder)
