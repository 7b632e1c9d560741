"""Masks grown by some pixels, over which what was made fades into what is there."""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.samples import plane_groups, to_samples


class Feather:
    """Grows the masks of one video; keeps each frame until the one that was made of it comes.

    Args:
      width: pixels by which masks grow.
      pixels: what the frames' planes mean.
    """

    def __init__(self, width: int, pixels: PixelFormat):
        self._width, self._pixels = width, pixels
        self._frames: deque[Frame] = deque()
        self._masks: deque[Bool[np.ndarray, "h w"]] = deque()

    def keep(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, as they are."""
        for frame in frames:
            self._frames.append(frame)
            yield frame

    def grow(self, mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
        """The next frame's mask, grown."""
        self._masks.append(mask)
        return feather_weight(mask, self._width) > 0

    def fade(self, made: Iterable[Frame]) -> Iterator[Frame]:
        """What was made of the frames, wholly under the masks as they were, and less and less around them."""
        for frame in made:
            before, share = self._frames.popleft(), feather_weight(self._masks.popleft(), self._width)
            yield dataclasses.replace(frame, planes=_faded(before.planes, frame.planes, share, self._pixels))


def feather_weight(mask: Bool[np.ndarray, "h w"], width: int) -> Float[np.ndarray, "h w"]:
    """1 under the mask, falling to 0 beyond so many pixels around it."""
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.clip(1 - away / (width + 1), 0, 1)


def _faded(
    before: tuple[np.ndarray, ...], made: tuple[np.ndarray, ...], share: Float[np.ndarray, "h w"], pixels: PixelFormat
) -> tuple[np.ndarray, ...]:
    """All planes; a sample of chroma takes the greatest share of the pixels that it stands for."""
    planes = list(made)
    for (down, across), numbers in plane_groups(pixels):
        height, width = share.shape
        padded = np.pad(share, ((0, -height % down), (0, -width % across)))
        each = padded.reshape(-(-height // down), down, -(-width // across), across).max(axis=(1, 3))
        for number in numbers:
            old, new = (plane.astype(np.float32) for plane in (before[number], made[number]))
            planes[number] = to_samples(old + each * (new - old), made[number].dtype, pixels)
    return tuple(planes)
