"""Reference pictures: frames of a video that someone coloured."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import InputError, ReferencePictureError
from vdiff_jax.media.pictures import read_picture
from vdiff_jax.media.video import VideoInfo, turn_back

Picture = Float[np.ndarray, "h w c"]


def read_references(given: Sequence[str | Path], info: VideoInfo) -> dict[int, Picture]:
    """The pictures by the number of the frame they colour, R'G'B' and how opaque they are, in [0, 1].

    Args:
        given: `N:picture` for frame N of the part that is read; a bare picture is frame 0's.
        info: of the video; rotated ones take pictures as they are shown.

    Raises:
        ReferencePictureError: unreadable, of another size, without colours, two of one frame, or out of range.
    """
    pictures: dict[int, Picture] = {}
    for text in map(str, given):
        number, colon, name = text.partition(":")
        frame, path = (int(number), name) if colon and number.isdecimal() else (0, text)
        if frame in pictures:
            raise ReferencePictureError(f"two references are given for frame {frame}: give one")
        if info.frames is not None and path and frame >= info.frames:
            raise ReferencePictureError(f"the reference {path} is for frame {frame}, the video has {info.frames}")
        pictures[frame] = _read(path, info)
    return pictures


def check_reference(picture: np.ndarray, size: tuple[int, int], name: str) -> Picture:
    """An array `h w 3` or `h w 4`, uint8, uint16 or float, as a reference of frames of a size (height, width).

    Raises:
        ReferencePictureError: of another size, or without colours.
    """
    if picture.shape[:2] != size:
        height, width = picture.shape[:2]
        raise ReferencePictureError(
            f"the reference {name} is {width}x{height}, the video {size[1]}x{size[0]}: they must be the same size"
        )
    if not np.issubdtype(picture.dtype, np.floating):
        picture = picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or np.ptp(picture[..., :3], axis=-1).max() < 4 / 255:
        raise ReferencePictureError(f"the reference {name} has no colours")
    opacity = picture[..., 3:] if picture.shape[2] == 4 else np.ones_like(picture[..., :1])
    return np.concatenate([picture[..., :3], opacity], axis=-1).astype(np.float32)


def _read(path: str, info: VideoInfo) -> Picture:
    try:
        picture = read_picture(path)
    except InputError as error:
        raise ReferencePictureError(f"a reference can't be read: {error}") from error
    width, height = info.displayed_size
    return turn_back(check_reference(picture, (height, width), path), info.display_matrix)
