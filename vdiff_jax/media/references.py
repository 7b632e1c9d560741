"""Reading reference pictures: frames of a video that someone coloured."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import InputError, ReferencePictureError
from vdiff_jax.media.pictures import read_picture
from vdiff_jax.media.video import VideoInfo, turn_back

Picture = Float[np.ndarray, "h w c"]


def read_references(given: Sequence[str | Path], info: VideoInfo) -> dict[int, Picture]:
    """The reference pictures by frame number, each `h w 4`: R'G'B' and opacity in [0, 1].

    Args:
        given: `N:picture` for frame N of the part that is read; a name without a number belongs to frame 0.
        info: properties of the video. The references of a rotated video are given as it is shown.

    Raises:
        ReferencePictureError: a picture can't be read, has another size or no colours, or belongs to no frame; or two
            pictures belong to one frame.
    """
    pictures: dict[int, Picture] = {}
    for text in map(str, given):
        frame, path = _numbered(text)
        if frame in pictures:
            raise ReferencePictureError(f"frame {frame} has two references: pass one")
        if info.frames is not None and path and frame >= info.frames:
            raise ReferencePictureError(
                f"the reference {path} is for frame {frame}: the video has the frames 0 to {info.frames - 1}"
            )
        pictures[frame] = _read(path, info)
    return pictures


def reference_path(given: str | Path) -> str:
    """The picture's file of a reference as it was given, with or without a number."""
    return _numbered(str(given))[1]


def _numbered(text: str) -> tuple[int, str]:
    """The number of the frame, 0 if there is none, and the picture's file."""
    number, colon, name = text.partition(":")
    return (int(number), name) if colon and number.isdecimal() and len(number) < 19 else (0, text)


def check_reference(picture: np.ndarray, size: tuple[int, int], name: str) -> Picture:
    """A reference as `h w 4`: R'G'B' and opacity, float32 in [0, 1].

    Args:
        picture: `h w 3` or `h w 4`, uint8, uint16 or float in [0, 1].
        size: height and width of the video.
        name: what messages call the picture.

    Raises:
        ReferencePictureError: the picture has another size than the video, or no colours.
    """
    if picture.shape[:2] != size:
        height, width = picture.shape[:2]
        raise ReferencePictureError(
            f"the reference {name} is {width}x{height}, the video {size[1]}x{size[0]}: pass one of the video's size"
        )
    if not np.issubdtype(picture.dtype, np.floating):
        picture = picture.astype(np.float32) / np.float32(np.iinfo(picture.dtype).max)
    if picture.ndim != 3 or picture.shape[2] not in (3, 4) or np.ptp(picture[..., :3], axis=-1).max() < 4 / 255:
        raise ReferencePictureError(f"the reference {name} has no colours: pass a coloured picture")
    opacity = picture[..., 3:] if picture.shape[2] == 4 else np.ones_like(picture[..., :1])
    return np.concatenate([picture[..., :3], opacity], axis=-1).astype(np.float32)


def _read(path: str, info: VideoInfo) -> Picture:
    try:
        picture = read_picture(path)
    except InputError as error:
        raise ReferencePictureError(f"a reference can't be read: {error}") from error
    width, height = info.displayed_size
    return turn_back(check_reference(picture, (height, width), path), info.display_matrix)
