"""Footage: the frames that are repaired, and their masks."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from vdiff_jax.pixels import Frame, PixelFormat


class Footage(NamedTuple):
    """A video's frames in order, with their masks.

    Attributes:
      frames: the frames.
      masks: for each frame, `h w`, True where it is to be filled; `None` for a frame without a mask.
      pixels: the frames' pixel format.
    """

    frames: Iterable[Frame]
    masks: Iterable[np.ndarray | None]
    pixels: PixelFormat
