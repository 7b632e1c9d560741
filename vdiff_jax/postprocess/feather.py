"""Feathering: grows masks by some pixels, over which the repaired picture fades into the source."""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.samples import plane_groups, to_samples


class Feather:
    """Grows the masks of one video, and keeps its frames until they are blended with their repaired versions.

    Args:
      width: pixels by which masks grow and over which the blend fades.
      pixels: the frames' pixel format.
      done: the number of frames at the start that `fade` does not get, because an earlier run has written them.
    """

    def __init__(self, width: int, pixels: PixelFormat, done: int = 0):
        self._width, self._pixels = width, pixels
        self._done = {"frames": done, "masks": done}
        self._frames: deque[Frame] = deque()
        self._masks: deque[Bool[np.ndarray, "h w"]] = deque()

    def keep(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The frames, unchanged; each is remembered for `fade`."""
        for frame in frames:
            self._remember("frames", self._frames, frame)
            yield frame

    def grow(self, mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
        """The next frame's mask, grown; it is remembered for `fade`."""
        self._remember("masks", self._masks, mask)
        return feather_weight(mask, self._width) > 0

    def _remember(self, kind: str, queue: deque, item: object) -> None:
        if self._done[kind]:
            self._done[kind] -= 1
        else:
            queue.append(item)

    def fade(self, repaired: Iterable[Frame]) -> Iterator[Frame]:
        """The repaired frames under the masks as they were before growing, fading into the source around them."""
        for frame in repaired:
            source, weight = self._frames.popleft(), feather_weight(self._masks.popleft(), self._width)
            yield dataclasses.replace(frame, planes=_blended(source.planes, frame.planes, weight, self._pixels))


def feather_weight(mask: Bool[np.ndarray, "h w"], width: int) -> Float[np.ndarray, "h w"]:
    """The weight of the repaired picture: 1 under the mask, falling linearly to 0 over `width` pixels around it."""
    if not mask.any():
        return np.zeros(mask.shape, np.float32)
    distance = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.clip(1 - distance / (width + 1), 0, 1)


def _blended(
    source: tuple[np.ndarray, ...],
    repaired: tuple[np.ndarray, ...],
    weight: Float[np.ndarray, "h w"],
    pixels: PixelFormat,
) -> tuple[np.ndarray, ...]:
    """Both blended plane by plane; a chroma sample takes the largest weight of its pixels."""
    planes = list(repaired)
    for (down, across), numbers in plane_groups(pixels):
        height, width = weight.shape
        padded = np.pad(weight, ((0, -height % down), (0, -width % across)))
        share = padded.reshape(-(-height // down), down, -(-width // across), across).max(axis=(1, 3))
        for number in numbers:
            old, new = (plane.astype(np.float32) for plane in (source[number], repaired[number]))
            planes[number] = to_samples(old + share * (new - old), repaired[number].dtype, pixels)
    return tuple(planes)
