"""Stills what stands still: of the noise that is removed a little is left, another in each frame."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import Frame, PixelFormat

_PART = 0.09
"""Of the noise that was there; what changes by this much in the mean around it has half moved."""
_NEW = 0.2
"""How much of a frame is taken where nothing moves."""
_NEAR, _AROUND = (3, 3), 1.5
"""Pixels of half the size: the mean is over the first, and how far it is astray over a Gaussian of the second."""


def deflicker(frames: Iterable[Frame], pixels: PixelFormat, sigma: Sequence[float] | np.ndarray) -> Iterator[Frame]:
    """Frames, each mixed with those before it wherever it differs from them by no more than noise leaves.

    What moves, fades or is cut differs by more in the mean of a few pixels, and is left as it is.

    Args:
      frames: in order; alpha passes as it is.
      pixels: what their planes mean.
      sigma: the noise that was removed from each plane, in levels.
    """
    last: list[np.ndarray] | None = None
    for frame in frames:
        count = len(frame.planes) - pixels.alpha
        shown = [plane.astype(np.float32) for plane in frame.planes[:count]]
        if last is not None:
            slack = [float(_PART * level * _peak(plane, pixels)) for level, plane in zip(sigma, frame.planes)]
            shown = _mixed(shown, last, slack)
        last = shown
        planes = [_as(plane, like) for plane, like in zip(shown, frame.planes)]
        yield dataclasses.replace(frame, planes=(*planes, *frame.planes[count:]))


def _mixed(shown: list[np.ndarray], last: list[np.ndarray], slack: Sequence[float]) -> list[np.ndarray]:
    changes = [new - old for new, old in zip(shown, last)]
    height, width = shown[0].shape
    half = max(1, width // 2), max(1, height // 2)
    astray = np.zeros(half[::-1], np.float32)
    for change, least in zip(changes, slack):
        if least > 0:
            mean = cv2.blur(_at_size(change, half), _NEAR)
            astray = np.maximum(astray, np.abs(mean) / np.float32(least))
    astray = np.square(np.square(cv2.GaussianBlur(astray, (0, 0), _AROUND)))
    share = 1 - (1 - _NEW) / (1 + astray)
    return [
        old + _at_size(share, change.shape[::-1]) * change if least > 0 else new
        for old, new, change, least in zip(last, shown, changes, slack)
    ]


def _at_size(plane: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, "h2 w2"]:
    """The plane in another (width, height), twice larger or smaller at most."""
    if plane.shape[::-1] == size:
        return plane
    smaller = plane.shape[1] > size[0]
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _peak(plane: np.ndarray, pixels: PixelFormat) -> float:
    return 1.0 if np.issubdtype(plane.dtype, np.floating) else float(pixels.peak)


def _as(plane: Float[np.ndarray, "h w"], like: np.ndarray) -> np.ndarray:
    return (plane if np.issubdtype(like.dtype, np.floating) else np.rint(plane)).astype(like.dtype)
