"""GIF's 256 colours."""

import av
import numpy as np
from PIL import Image


def indexed(picture: np.ndarray) -> av.VideoFrame:
    """A picture (h w, h w 3 or h w 4, uint8) in colours chosen for it alone, dithered, as a pal8 frame.

    With alpha, one colour is transparent, where the picture is so by more than half.
    """
    height, width = picture.shape[:2]
    clear = picture[..., 3] < 128 if picture.ndim == 3 and picture.shape[2] == 4 else None
    colours = picture.repeat(3).reshape(height, width, 3) if picture.ndim == 2 else picture[..., :3]
    image = Image.fromarray(np.ascontiguousarray(colours))
    palette = image.quantize(255, method=Image.Quantize.FASTOCTREE)
    indices = np.array(image.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG))
    if clear is not None:
        indices[clear] = 255
    rgb = np.zeros((256, 3), np.uint8)
    chosen = np.array(palette.getpalette(), np.uint8).reshape(-1, 3)[:255]
    rgb[: len(chosen)] = chosen
    opacity = np.full((256, 1), 255, np.uint8)
    opacity[255] = 255 if clear is None else 0
    frame = av.VideoFrame(width, height, "pal8")
    line = frame.planes[0].line_size
    np.frombuffer(frame.planes[0], np.uint8).reshape(height, line)[:, :width] = indices
    np.frombuffer(frame.planes[1], np.uint8).reshape(256, 4)[:] = np.concatenate([rgb[:, ::-1], opacity], 1)
    return frame
