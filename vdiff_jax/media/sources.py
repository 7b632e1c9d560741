"""Finds what an input path names: one video, pictures in order, or a batch of videos."""

import glob
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

from vdiff_jax.errors import InputError


def _endings(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


PICTURE_ENDINGS = _endings("png jpg jpeg bmp webp tif tiff ppm pgm pnm jp2 dpx")
WRITABLE_PICTURES = PICTURE_ENDINGS - _endings("dpx")
LINEAR_ENDINGS = _endings("exr hdr pfm")
"""Pictures in floating point and linear light, which may be brighter than white. They are refused."""
VIDEO_ENDINGS = _endings(
    "mp4 m4v mkv webm mov avi mpg mpeg m2v vob ts mts m2ts y4m gif flv wmv asf ogv 3gp mxf "
    "h264 264 h265 265 hevc ivf obu nut dv rm rmvb apng"
)
Source = str | os.PathLike


@runtime_checkable
class Readable(Protocol):
    """A pipe or an open file."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes; none at the end."""
        ...

    def seekable(self) -> bool:
        """Whether it can be read from any place on."""
        ...

    def close(self) -> None:
        """Closes it."""
        ...


_HEADER_BYTES = 1 << 16
"""An APNG is marked before its pixels, so within its first bytes."""


def is_picture(source: Source) -> bool:
    """Whether `source` is a file with a still picture, by its ending; an animated WebP or PNG is a video."""
    return Path(source).suffix.lower() in PICTURE_ENDINGS and os.path.isfile(source) and not is_animation(source)


def is_animation(source: Source) -> bool:
    """Whether `source` is a WebP or PNG file whose header says that it is animated."""
    if Path(source).suffix.lower() not in (".webp", ".png"):
        return False
    try:
        with open(source, "rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError:
        return False
    if header.startswith(b"RIFF"):
        return header[8:16] == b"WEBPVP8X" and bool(header[20] & 2)
    return header.startswith(b"\x89PNG") and b"acTL" in header.partition(b"IDAT")[0]


def refuse_linear(paths: Iterable[Path], name: Source) -> None:
    """Raises InputError if a picture stores linear light in floating point, such as OpenEXR.

    Args:
        paths: the pictures.
        name: what the user passed.
    """
    if linear := next((path for path in paths if path.suffix.lower() in LINEAR_ENDINGS), None):
        raise InputError(
            f"{name} can't be read: {linear.suffix.lower()} pictures ({linear.name}) store linear light, which is not "
            "supported; convert them to PNG or TIFF with 16 bits first"
        )


def list_pictures(source: Source) -> list[Path] | None:
    """The pictures of a folder or glob, sorted by the numbers in their names; None if `source` is neither.

    Raises:
        InputError: the path does not exist, or there are no pictures.
    """
    matches = _matches(source)
    if matches is None:
        return None
    pictures = [path for path in matches if is_picture(path)]
    if pictures:
        return pictures
    if any(map(_is_video, matches)):
        raise InputError(f"{source} holds videos, not pictures: pass one of the videos")
    refuse_linear(matches, source)
    raise InputError(f"{source} holds no pictures ({', '.join(sorted(PICTURE_ENDINGS))})")


def list_videos(source: Source) -> list[Path] | None:
    """The sorted videos of a folder or glob, which is then a batch; None for one video or for pictures.

    A folder that holds a video is a batch. Pictures beside the videos are ignored.

    Raises:
        InputError: the path does not exist, or there are neither videos nor pictures.
    """
    matches = _matches(source)
    if matches is None:
        return None
    videos = [path for path in matches if _is_video(path)]
    if videos:
        return videos
    if any(map(is_picture, matches)):
        return None
    refuse_linear(matches, source)
    raise InputError(f"{source} holds no videos and no pictures")


def _is_video(path: Path) -> bool:
    return is_video_name(path) or is_animation(path)


def is_video_name(name: Source) -> bool:
    """Whether a file's name has the ending of a video, and it is not hidden."""
    path = Path(name)
    return path.suffix.lower() in VIDEO_ENDINGS and not path.name.startswith(".")


def _matches(source: Source) -> list[Path] | None:
    """The files of a folder or glob, without hidden ones; None if `source` is one file or `-`."""
    name = os.fspath(source)
    if name == "-" or os.path.isfile(name):
        return None
    if os.path.isdir(name):
        paths = [entry for entry in Path(name).iterdir() if entry.is_file()]
    elif glob.has_magic(name):
        paths = [Path(match) for match in glob.glob(name, recursive=True) if os.path.isfile(match)]
        if not paths:
            raise InputError(f"nothing matches {name}")
    elif os.path.exists(name):  # a named pipe or a device
        return None
    else:
        raise InputError(f"no such file or folder: {name}")
    return sorted((path for path in paths if not path.name.startswith(".")), key=natural_key)


def natural_key(path: Source) -> list[tuple[int, int | str]]:
    """A sorting key that puts frame_2 before frame_10."""
    parts = re.split(r"(\d+)", os.fspath(path))
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]
