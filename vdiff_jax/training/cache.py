"""Decodes a folder of videos and photographs once, into arrays that random access is cheap in."""

import dataclasses
import hashlib
import json
import logging
import os
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from vdiff_jax.errors import DataError, VdiffError
from vdiff_jax.media.colour import to_rgb
from vdiff_jax.media.read import open_reader

log = logging.getLogger(__name__)

PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
VIDEOS = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".mpeg", ".m4v", ".y4m", ".ts", ".gif"}
STILL = 0.35
"""Frames that differ by less than this (mean of 255, at 64×36) from the last one kept are left out."""


@dataclasses.dataclass(frozen=True)
class Item:
    """One decoded video (t > 1) or photograph (t = 1): the file it came from and its frames, `t h w 3` on disk."""

    source: str
    path: Path

    def frames(self) -> UInt8[np.ndarray, "t h w 3"]:
        return np.load(self.path, mmap_mode="r")


@dataclasses.dataclass(frozen=True)
class Split:
    """What is trained on or validated with, uint8: photographs `h w 3` and videos `t h w 3` of any sizes."""

    photos: list[np.ndarray]
    videos: list[np.ndarray]


def decode(folder: Path, cache: Path, *, reduction: float, exclude: tuple[str, ...] = ()) -> list[Item]:
    """Decodes what is not in the cache yet; unreadable files are skipped, counted and named in the log.

    Raises:
      DataError: no such folder, or nothing readable in it.
    """
    if not folder.exists():
        raise DataError(f"{folder}: no such folder of training data")
    files = [folder] if folder.is_file() else sorted(p for p in folder.rglob("*") if p.is_file())
    files = [p for p in files if p.suffix.lower() in PHOTOS | VIDEOS and not any(name in p.name for name in exclude)]
    cache.mkdir(parents=True, exist_ok=True)
    items, failed = [], []
    for path in files:
        try:
            items.append(_decode_one(path, folder, cache, reduction))
        except (VdiffError, OSError, ValueError) as error:
            failed.append(f"{path.name} ({error})")
    if failed:
        log.warning("skipped %d unreadable files: %s", len(failed), "; ".join(failed))
    if not items:
        raise DataError(f"{folder}: no readable videos or photographs in it")
    return items


def split(items: list[Item]) -> tuple[Split, Split]:
    """Training and validation: of each video its last tenth (of a lone one the last third), every 20th photo."""
    arrays = [item.frames() for item in items]
    photos = [a[0] for a in arrays if len(a) == 1]
    videos = [a for a in arrays if len(a) > 1]
    share = 1 / 3 if len(arrays) == 1 else 0.1
    ends = [len(v) - max(1, round(share * len(v))) for v in videos]
    training = Split([p for i, p in enumerate(photos) if i % 20], [v[:e] for v, e in zip(videos, ends)])
    validation = Split([p for i, p in enumerate(photos) if not i % 20], [v[e:] for v, e in zip(videos, ends)])
    return training, validation


def _decode_one(path: Path, folder: Path, cache: Path, reduction: float) -> Item:
    source = str(path.relative_to(folder)) if path != folder else path.name
    identity = json.dumps([str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns, reduction, STILL])
    target = cache / f"{hashlib.sha256(identity.encode()).hexdigest()[:20]}.npy"
    if not target.exists():
        frames = _photo(path) if path.suffix.lower() in PHOTOS else _video(path, reduction)
        partial = target.with_name(f"{target.stem}.{os.getpid()}.part.npy")
        np.save(partial, frames)
        partial.replace(target)
    return Item(source, target)


def _photo(path: Path) -> UInt8[np.ndarray, "1 h w 3"]:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise DataError("not a picture")
    return bgr[None, ..., ::-1]


def _video(path: Path, reduction: float) -> UInt8[np.ndarray, "t h w 3"]:
    kept, last = [], None
    with open_reader(path) as reader:
        for frame in reader:
            rgb = np.clip(to_rgb(frame.planes, reader.info.pixels)[..., :3] * 255 + 0.5, 0, 255).astype(np.uint8)
            thumbnail = cv2.resize(rgb, (64, 36), interpolation=cv2.INTER_AREA).mean(axis=-1)
            if last is not None and np.abs(thumbnail - last).mean() < STILL:
                continue
            last = thumbnail
            kept.append(cv2.resize(rgb, None, fx=1 / reduction, fy=1 / reduction, interpolation=cv2.INTER_AREA))
    if not kept:
        raise DataError("no frames")
    return np.stack(kept)
