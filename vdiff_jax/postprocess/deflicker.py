"""Deflicker: reduces the residual flicker of denoised video where nothing moves.

Denoising leaves a little of the noise, a different pattern in each frame.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints
from vdiff_jax.stream.samples import peak_sample, to_samples

_TOLERANCE = 0.09
"""A mean change of this share of the removed noise counts as half motion."""
_NEW_SHARE = 0.2
"""The share of the new frame in the mix where nothing moves."""
_MEAN_WINDOW, _SIGMA = (3, 3), 1.5
"""Half-size pixels: the mean change is taken over the window, and motion is smoothed by a Gaussian of sigma."""


def deflicker(
    frames: Iterable[Frame],
    pixels: PixelFormat,
    sigma: Sequence[float] | Float[np.ndarray, " p"],
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> Iterator[Frame]:
    """Mixes each frame with the earlier ones where they differ by no more than the noise that denoising leaves.

    Motion, fades and cuts change the mean of a few pixels by more, so they stay as they are.

    Args:
      frames: in order; alpha is unchanged.
      pixels: their pixel format.
      sigma: the standard deviation of the noise that was removed from each plane, in [0, 1].
      checkpoints: where the frames begin, and where the last mixed frame is kept.
    """
    last = checkpoints.state("deflicker")
    for number, frame in enumerate(frames, start=checkpoints.begun.frames + 1):
        count = len(frame.planes) - pixels.alpha
        if last is None or frame.starts_shot:
            last = [plane.astype(np.float32) for plane in frame.planes[:count]]
        else:
            tolerances = [
                float(_TOLERANCE * level * peak_sample(plane, pixels)) for level, plane in zip(sigma, frame.planes)
            ]
            last = _mixed(frame.planes[:count], last, tolerances)
        if checkpoints.here(number):
            checkpoints.keep(number, "deflicker", last)
        planes = [to_samples(plane, like.dtype, pixels) for plane, like in zip(last, frame.planes)]
        yield dataclasses.replace(frame, planes=(*planes, *frame.planes[count:]))


def _mixed(new: Sequence[np.ndarray], last: list[np.ndarray], tolerances: Sequence[float]) -> list[np.ndarray]:
    """The planes of a new frame mixed with the last mixed ones; a tolerance of 0 leaves a plane as it is.

    The mix of a plane takes the place of the last one in the list, so that no more than one is in memory twice.
    """
    height, width = new[0].shape
    half = max(1, width // 2), max(1, height // 2)
    motion = np.zeros(half[::-1], np.float32)
    for plane, old, tolerance in zip(new, last, tolerances):
        if tolerance > 0:
            mean = cv2.blur(_at_size(np.subtract(plane, old, dtype=np.float32), half), _MEAN_WINDOW)
            motion = np.maximum(motion, np.abs(mean) / np.float32(tolerance))
    motion = np.square(np.square(cv2.GaussianBlur(motion, (0, 0), _SIGMA)))
    share = 1 - (1 - _NEW_SHARE) / (1 + motion)
    for index, (plane, tolerance) in enumerate(zip(new, tolerances)):
        mixed = plane.astype(np.float32)
        if tolerance > 0:
            mixed -= last[index]
            mixed *= _at_size(share, mixed.shape[::-1])
            mixed += last[index]
        last[index] = mixed
    return last


def _at_size(plane: Float[np.ndarray, "h w"], size: tuple[int, int]) -> Float[np.ndarray, "h2 w2"]:
    """The plane resized to another (width, height), at most twice or half as large."""
    if plane.shape[::-1] == size:
        return plane
    smaller = plane.shape[1] > size[0]
    return cv2.resize(plane, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
