"""Decodes a folder of videos and photographs once, into arrays on disk with fast random access."""

import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from vdiff_jax.errors import DataError, VdiffError
from vdiff_jax.media.colour import to_rgb
from vdiff_jax.media.read import open_reader
from vdiff_jax.preprocess.colour import from_rgb
from vdiff_jax.runtime.files import AnyPath, any_path, fetched, file_version, list_files
from vdiff_jax.stream.shots import shot_starts, thumbnail

log = logging.getLogger(__name__)

PHOTOS = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"}
VIDEOS = {".mp4", ".mkv", ".webm", ".mov", ".avi", ".mpg", ".mpeg", ".m4v", ".y4m", ".ts", ".gif"}
STILL = 0.35
"""A frame that differs from the last kept one by less than this is left out (mean at 64×36, in 8-bit units)."""
_LUMA = from_rgb("bt601")[0] / 255
"""From 8-bit R'G'B' to luma in [0, 1] (BT.601)."""


@dataclasses.dataclass(frozen=True)
class Item:
    """One decoded video (t > 1) or photograph (t = 1): the file it came from and its frames, `t h w 3` on disk."""

    source: str
    path: Path

    def frames(self) -> UInt8[np.ndarray, "t h w 3"]:
        """The R'G'B' frames, mapped from disk."""
        return np.load(self.path, mmap_mode="r")

    def shot_starts(self) -> list[int]:
        """The number of each shot's first frame, computed once and kept beside the frames."""
        path = self.path.with_suffix(".shots.json")
        if not path.exists():
            lumas = (thumbnail(np.asarray(frame, np.float32) @ _LUMA) for frame in self.frames())
            starts = [n for n, starts in enumerate(shot_starts(lumas)) if starts]
            _write_whole(path, lambda partial: partial.write_text(json.dumps(starts)))
        return json.loads(path.read_text())


@dataclasses.dataclass(frozen=True)
class Split:
    """The training or the validation data: photographs `h w 3` and videos `t h w 3` of any sizes, uint8 R'G'B'."""

    photos: list[np.ndarray]
    videos: list[np.ndarray]


def find_footage(folder: str | Path, *, exclude: tuple[str, ...] = ()) -> list[AnyPath]:
    """The videos and photographs in a folder and its subfolders.

    Args:
      folder: a local folder or file, s3://bucket/folder or gs://bucket/folder.
      exclude: parts of the names of files to leave out.

    Raises:
      DataError: no such folder, or no such files in it.
    """
    files = list_files(any_path(folder))
    files = [p for p in files if p.suffix.lower() in PHOTOS | VIDEOS and not any(name in p.name for name in exclude)]
    if not files:
        raise DataError(f"{folder} has no videos or photographs (looked for {' '.join(sorted(PHOTOS | VIDEOS))})")
    return files


def decode(folder: str | Path, cache: Path, *, reduction: float, exclude: tuple[str, ...] = ()) -> list[Item]:
    """The decoded videos and photographs of a folder. Those not yet in the cache are decoded now.

    Files that cannot be read are skipped; the log names them.

    Args:
      folder: as in `find_footage`.
      cache: the folder for decoded data.
      reduction: the factor by which videos are made smaller.
      exclude: as in `find_footage`.

    Raises:
      DataError: no such folder, or no readable file in it.
    """
    files = find_footage(folder, exclude=exclude)
    cache.mkdir(parents=True, exist_ok=True)
    items, failed = [], []
    for path in files:
        try:
            items.append(_decode_one(path, cache, reduction))
        except (VdiffError, OSError, ValueError) as error:
            failed.append(f"{path.name} ({error})")
    if failed:
        log.warning("skipped %d unreadable files: %s", len(failed), "; ".join(failed))
    if not items:
        raise DataError(f"{folder} has no readable videos or photographs: pass another --data")
    return items


def split(items: list[Item]) -> tuple[Split, Split]:
    """The training and the validation data.

    Validation gets the last tenth of each video (the last third if there is only one file) and every 20th photograph.
    Training videos are cut into shots; validation videos are not.
    """
    arrays = [item.frames() for item in items]
    photos = [a[0] for a in arrays if len(a) == 1]
    share = 1 / 3 if len(arrays) == 1 else 0.1
    training = Split([p for i, p in enumerate(photos) if i % 20], [])
    validation = Split([p for i, p in enumerate(photos) if not i % 20], [])
    for item, video in zip(items, arrays):
        if len(video) > 1:
            end = len(video) - max(1, round(share * len(video)))
            training.videos.extend(np.split(video[:end], [n for n in item.shot_starts() if 0 < n < end]))
            validation.videos.append(video[end:])
    return training, validation


def _decode_one(path: AnyPath, cache: Path, reduction: float) -> Item:
    name = hashlib.sha256(json.dumps([*file_version(path), reduction, STILL]).encode()).hexdigest()[:20]
    target = cache / f"{name}.npy"
    if not target.exists():
        with fetched(path) as local:
            frames = _photo(local) if path.suffix.lower() in PHOTOS else _video(local, reduction)
        _write_whole(target, lambda partial: np.save(partial, frames))
    return Item(str(path), target)


def _write_whole(target: Path, write: Callable[[Path], object]) -> None:
    """Writes a file under another name and renames it: several processes may share the cache."""
    partial = target.with_name(f"{os.getpid()}.part.{target.name}")
    write(partial)
    partial.replace(target)


def _photo(path: Path) -> UInt8[np.ndarray, "1 h w 3"]:
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise DataError("not a readable picture")
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
