"""Reduction to GIF's 256 colours."""

import av
import numpy as np
from PIL import Image


def indexed(picture: np.ndarray) -> av.VideoFrame:
    """A picture (`h w`, `h w 3` or `h w 4`, uint8) as a dithered pal8 frame with a palette of its own.

    With alpha, one palette entry is transparent. Pixels below half opacity take it.
    """
    height, width = picture.shape[:2]
    transparent = picture[..., 3] < 128 if picture.ndim == 3 and picture.shape[2] == 4 else None
    colours = picture.repeat(3).reshape(height, width, 3) if picture.ndim == 2 else picture[..., :3]
    image = Image.fromarray(np.ascontiguousarray(colours))
    palette = image.quantize(255, method=Image.Quantize.FASTOCTREE)
    indices = np.array(image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))
    if transparent is not None:
        indices[transparent] = 255
    rgb = np.zeros((256, 3), np.uint8)
    chosen = np.array(palette.getpalette(), np.uint8).reshape(-1, 3)[:255]
    rgb[: len(chosen)] = chosen
    opacity = np.full((256, 1), 255, np.uint8)
    opacity[255] = 255 if transparent is None else 0
    frame = av.VideoFrame(width, height, "pal8")
    line = frame.planes[0].line_size
    np.frombuffer(frame.planes[0], np.uint8).reshape(height, line)[:, :width] = indices
    np.frombuffer(frame.planes[1], np.uint8).reshape(256, 4)[:] = np.concatenate([rgb[:, ::-1], opacity], 1)
    return frame
