"""Still pictures through imageio: reading, writing, and several of them as a video."""

import functools
import itertools
import logging
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import imageio.v3 as iio
import numpy as np
from PIL import Image

from vdiff_jax.errors import InputError, OutputError
from vdiff_jax.media.colour import Planes, convert, to_rgb
from vdiff_jax.media.planes import pixel_format, planes_of
from vdiff_jax.media.probe import choose_stream, open_container
from vdiff_jax.media.video import Seconds, VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat

logger = logging.getLogger(__name__)
# OpenCV reads these: Pillow reads 16-bit colour as 8 bits.
DEEP_ENDINGS = frozenset([".png", ".tif", ".tiff", ".ppm", ".pgm", ".pnm"])
# Formats that are written with 16 bits where the video has more than 8.
DEEP_WRITERS = frozenset([".png", ".tif", ".tiff"])
JPEG_QUALITY = 97
EXIF_ORIENTATION = 0x0112


def read_picture(path: str | Path) -> np.ndarray:
    """A picture's samples: `h w` (gray), `h w 3` (RGB) or `h w 4` (RGBA), uint8 or uint16.

    Raises:
        InputError: no such file, or it is not a picture.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    ending = path.suffix.lower()
    read = _read_deep if ending in DEEP_ENDINGS else _read_ffmpeg if ending == ".dpx" else _read_pillow
    try:
        picture = read(path)
    except Exception as error:
        raise InputError(f"{path} is empty, damaged or not a picture") from error
    if picture.dtype not in (np.uint8, np.uint16) or picture.ndim not in (2, 3):
        raise InputError(
            f"{path} has {picture.dtype} samples of shape {picture.shape}: convert it to 8 or 16 bits, gray or RGB"
        )
    return picture


def _read_deep(path: Path) -> np.ndarray:
    _quiet_opencv()
    return iio.imread(path, plugin="opencv", index=0, flags=-1)  # -1: cv2.IMREAD_UNCHANGED


@functools.cache
def _quiet_opencv() -> None:
    """Keeps OpenCV from printing about a broken picture, which the error reports already."""
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def _read_ffmpeg(path: Path) -> np.ndarray:
    """The picture's R'G'B' as stored: a DPX's logarithmic samples stay logarithmic."""
    with open_container(str(path), str(path)) as container:
        frame = next(container.decode(choose_stream(container, str(path))))
        pixels = pixel_format(
            frame.format, matrix_tag=frame.colorspace, range_tag=frame.color_range, height=frame.height
        )
        return picture_of(planes_of(frame, pixels), pixels)


def _read_pillow(path: Path) -> np.ndarray:
    with iio.imopen(path, "r", plugin="pillow") as picture:
        stored = picture.metadata(exclude_applied=False)["mode"]
        mode = "L" if stored in ("1", "L") else "RGBA" if stored in ("RGBA", "LA", "PA") else "RGB"
        return np.asarray(picture.read(index=0, mode=mode, rotate=True))


def write_picture(path: str | Path, picture: np.ndarray) -> None:
    """Writes a picture `h w`, `h w 3` or `h w 4`, uint8 or uint16; PNG and TIFF are lossless.

    Raises:
        OutputError: the file can't be written.
    """
    ending = Path(path).suffix.lower()
    options = {".jpg": [1, JPEG_QUALITY], ".jpeg": [1, JPEG_QUALITY]}.get(ending, [])
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(picture.shape[-1] if picture.ndim == 3 else 1)  # OpenCV's: B, G, R
    try:
        ordered = picture if order is None else picture[..., order]
        _, encoded = cv2.imencode(ending, np.ascontiguousarray(ordered), options)
        Path(path).write_bytes(encoded.tobytes())
    except (OSError, cv2.error) as error:
        raise OutputError(f"{path} can't be written: {getattr(error, 'strerror', None) or error}") from error


def picture_of(planes: Planes, pixels: PixelFormat, *, deep: bool = True) -> np.ndarray:
    """Planes as a picture `h w`, `h w 3` or `h w 4` for writing.

    8 bits stay 8; more become 16, or 8 if not `deep`. Y'CbCr becomes R'G'B'.
    """
    bits = 16 if deep and pixels.bits > 8 else 8
    if pixels.kind == "yuv":
        channels = to_rgb(planes, pixels)
        peak = (1 << bits) - 1
        return np.clip(np.rint(channels * peak), 0, peak).astype(np.uint8 if bits == 8 else np.uint16)
    target = PixelFormat(kind=pixels.kind, bits=bits, full_range=True, matrix=pixels.matrix, alpha=pixels.alpha)
    source = target if pixels == target else pixels
    channels = convert(planes, source, target)
    return channels[0] if pixels.kind == "gray" else np.stack(channels, axis=-1)


def planes_of_picture(picture: np.ndarray, pixels: PixelFormat) -> Planes:
    """A picture's planes in the format `pixels`, which the first picture of the folder has."""
    channels = (picture,) if picture.ndim == 2 else tuple(np.moveaxis(picture, -1, 0))
    if pixels.kind == "rgb" and len(channels) == 1:
        channels *= 3
    if pixels.kind == "rgb" and pixels.alpha and len(channels) == 3:
        channels = (*channels, np.full_like(channels[0], np.iinfo(picture.dtype).max))
    channels = channels[: pixels.channels]
    if picture.dtype == np.uint8 and pixels.bits == 16:
        channels = tuple(c.astype(np.uint16) * 257 for c in channels)
    elif picture.dtype == np.uint16 and pixels.bits == 8:
        channels = tuple(((c.astype(np.uint32) + 128) // 257).astype(np.uint8) for c in channels)
    return tuple(np.ascontiguousarray(c) for c in channels)


class PictureSource:
    """Pictures as a video. They are read one at a time."""

    def __init__(self, paths: Sequence[Path], name: str, rate: Fraction, start: Seconds | None, stop: Seconds | None):
        first_index = 0 if start is None else -int(-start * rate // 1)
        last_index = len(paths) if stop is None else min(len(paths), -int(-stop * rate // 1))
        if first_index >= last_index:
            raise InputError(
                f"{name} has {len(paths)} pictures ({float(len(paths) / rate):g} s), none of them in this part: "
                "pass --from and --to within it"
            )
        _check_sizes(paths)
        _warn_of_gaps(paths, name)
        self._paths = paths[first_index:last_index]
        self._first = read_picture(self._paths[0])
        height, width = self._first.shape[:2]
        self.info = VideoInfo(
            path=name,
            width=width,
            height=height,
            pixels=_format_of(paths, self._first),
            rate=rate,
            time_base=1 / rate,
            frames=len(self._paths),
            duration=float(len(self._paths) / rate),
            codec=paths[0].suffix.lower().lstrip("."),
        )

    def frames(self) -> Iterator[Frame]:
        """The pictures in order, as frames whose pts are 0, 1, 2, ...

        Raises:
            InputError: a picture can't be read, or has another size than the first.
        """
        for pts, path in enumerate(self._paths):
            picture = self._first if pts == 0 else read_picture(path)
            if picture.shape[:2] != self._first.shape[:2]:
                raise _mixed(self._paths[0], self._first.shape[:2], path, picture.shape[:2])
            yield Frame(planes_of_picture(picture, self.info.pixels), pts, 1)

    def close(self) -> None:
        """Nothing stays open."""


def _format_of(paths: Sequence[Path], first: np.ndarray) -> PixelFormat:
    """The first picture's format; gray only if the headers of all pictures say so."""
    deep = first.dtype == np.uint16
    gray = first.ndim == 2 and all((_header(path) or (0, 0, True))[2] for path in paths)
    return PixelFormat(
        kind="gray" if gray else "rgb",
        bits=16 if deep else 8,
        full_range=True,
        matrix="bt601" if first.shape[0] < 720 else "bt709",
        alpha=any(map(_is_transparent, paths)),
    )


def _is_transparent(path: Path) -> bool:
    """Whether a pixel of a picture is transparent. Only a picture whose header declares transparency is read."""
    try:
        with Image.open(path) as image:
            if not image.has_transparency_data:
                return False
        picture = read_picture(path)
    except Exception:  # it is named when it is read as a frame
        return False
    return picture.ndim == 3 and picture.shape[2] == 4 and bool(picture[..., 3].min() < np.iinfo(picture.dtype).max)


def _warn_of_gaps(paths: Sequence[Path], name: str) -> None:
    """Warns where pictures are missing: the numbers at the ends of the names rise by more than the usual step."""
    ends = [re.search(r"(\d+)\D*$", path.stem) for path in paths]
    numbers = [int(end[1]) for end in ends if end is not None]
    steps = [after - before for before, after in itertools.pairwise(numbers)]
    if len(numbers) < len(paths) or len(steps) < 2 or min(steps) <= 0 or max(steps) == min(steps):
        return
    at = steps.index(max(steps))
    logger.warning(
        "%s lacks pictures: %s follows %s. The pictures are shown one after another, without a gap",
        *(name, paths[at + 1].name, paths[at].name),
    )


def _check_sizes(paths: Sequence[Path]) -> None:
    """Raises InputError if the pictures' headers give different sizes."""
    first = _header(paths[0])
    for path in paths[1:]:
        size = _header(path)
        if first and size and size[:2] != first[:2]:
            raise _mixed(paths[0], first[:2], path, size[:2])


def _header(path: Path) -> tuple[int, int, bool] | None:
    """(height, width, whether it is gray) from the header alone; None where Pillow can't read it."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.format in ("JPEG", "MPO", "TIFF") and image.getexif().get(EXIF_ORIENTATION, 1) > 4:
                width, height = height, width
            return height, width, image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;")
    except Exception:
        return None


def _mixed(first: Path, first_size: tuple[int, ...], other: Path, other_size: tuple[int, ...]) -> InputError:
    sizes = [f"{path} is {size[1]}x{size[0]}" for path, size in ((first, first_size), (other, other_size))]
    return InputError(f"all pictures must have the same size: {sizes[0]}, {sizes[1]}")
