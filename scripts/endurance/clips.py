"""Clips that the checks of reliability make, and hashes of what comes out."""

import hashlib
from fractions import Fraction
from pathlib import Path

import imageio.v3 as iio
import numpy as np

from vdiff_jax.media import Frame, PixelFormat, VideoInfo, open_reader, open_writer, read_attachment


def write_clip(path: Path, count: int, *, size: tuple[int, int] = (96, 160), codec: str | None = None, left: int = 0):
    """Writes a noisy moving picture.

    Args:
      path: the file.
      count: frames.
      size: height and width.
      codec: the encoder.
      left: columns by which the picture is shifted, for a second camera.
    """
    height, width = size
    rng = np.random.default_rng(0)
    wave = np.add.outer(np.sin(np.arange(height + count // 4) / 7), np.sin(np.arange(width + left + count // 2) / 5))
    picture = 128 + 40 * wave + 20 * rng.standard_normal(wave.shape).cumsum(1) / np.sqrt(width)
    info = VideoInfo(
        width=width, height=height, pixels=PixelFormat(kind="yuv", subsampling=(2, 2)), rate=Fraction(25),
        time_base=Fraction(1, 25),
    )  # fmt: skip
    with open_writer(path, info, codec=codec) as writer:
        for n in range(count):
            view = picture[n // 4 : n // 4 + height, left + n // 2 : left + n // 2 + width]
            luma = np.clip(view + rng.normal(0, 8, size), 0, 255).astype(np.uint8)
            chroma = (view[::2, ::2] / 2 + 64).astype(np.uint8)
            writer.write(Frame((luma, chroma, 255 - chroma), n))


def write_mask(path: Path, size: tuple[int, int] = (96, 160)):
    """Writes a mask picture with a hole in it."""
    mask = np.zeros(size, np.uint8)
    mask[20:50, 60:100] = 255
    iio.imwrite(path, mask)


def digest(path: Path) -> str:
    """A hash of all frames and their time stamps, and of the attachment of a compressed video."""
    made = hashlib.sha256(read_attachment(path) or b"")
    with open_reader(path) as reader:
        for frame in reader:
            made.update(str(frame.pts * reader.info.time_base).encode())
            for plane in frame.planes:
                made.update(np.ascontiguousarray(plane))
    return made.hexdigest()
