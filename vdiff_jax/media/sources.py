"""What an input names: a video, pictures in order, or a batch of videos."""

import glob
import os
import re
from pathlib import Path

from vdiff_jax.errors import InputError


def _endings(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


PICTURE_ENDINGS = _endings("png jpg jpeg bmp webp tif tiff ppm pgm pnm jp2")
VIDEO_ENDINGS = _endings(
    "mp4 m4v mkv webm mov avi mpg mpeg m2v vob ts mts m2ts y4m gif flv wmv asf ogv 3gp mxf "
    "h264 264 h265 265 hevc ivf obu nut dv rm rmvb apng"
)
Source = str | os.PathLike


def list_pictures(source: Source) -> list[Path] | None:
    """The pictures of a folder or glob in the order of the numbers in their names; None if it is neither.

    Raises:
        InputError: nothing is there, or no pictures.
    """
    matches = _matches(source)
    if matches is None:
        return None
    pictures = [path for path in matches if path.suffix.lower() in PICTURE_ENDINGS]
    if pictures:
        return pictures
    if any(path.suffix.lower() in VIDEO_ENDINGS for path in matches):
        raise InputError(f"{source} holds videos, not pictures: name one of them")
    raise InputError(f"{source} holds no pictures ({', '.join(sorted(PICTURE_ENDINGS))})")


def list_videos(source: Source) -> list[Path] | None:
    """The videos of a folder or glob, in order, if it is a batch; None if it is one video, or pictures.

    A folder with any video in it is a batch; pictures beside the videos are left out.

    Raises:
        InputError: no such file or folder, or nothing in it.
    """
    matches = _matches(source)
    if matches is None:
        return None
    videos = [path for path in matches if path.suffix.lower() in VIDEO_ENDINGS]
    if videos:
        return videos
    if any(path.suffix.lower() in PICTURE_ENDINGS for path in matches):
        return None
    raise InputError(f"{source} holds no videos and no pictures")


def _matches(source: Source) -> list[Path] | None:
    """The files of a folder or glob, hidden ones left out; None if `source` is one file or `-`."""
    name = os.fspath(source)
    if name == "-" or os.path.isfile(name):
        return None
    if os.path.isdir(name):
        paths = [entry for entry in Path(name).iterdir() if entry.is_file()]
    elif glob.has_magic(name):
        paths = [Path(match) for match in glob.glob(name, recursive=True) if os.path.isfile(match)]
        if not paths:
            raise InputError(f"nothing matches {name}")
    elif os.path.exists(name):  # a pipe or a device
        return None
    else:
        raise InputError(f"no such file or folder: {name}")
    return sorted((path for path in paths if not path.name.startswith(".")), key=_natural)


def _natural(path: Path) -> list[tuple[int, int | str]]:
    """A sorting key by which frame_2 comes before frame_10."""
    parts = re.split(r"(\d+)", os.fspath(path))
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]
