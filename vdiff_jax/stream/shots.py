"""Finds hard cuts frame by frame, on small luma thumbnails."""

from collections.abc import Iterable, Iterator

import cv2
import jax
import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import ClipError

THUMBNAIL_SHAPE = (18, 32)
_BLOCKS = (3, 4)  # thumbnails are matched in 3 × 4 blocks of 6 × 8 samples
_REACH = 3  # samples: blocks are searched so far around their place, a tenth of the picture's width
_CUT = 0.23  # a change this large is a cut
_LONE_CUT = 0.15  # so is a smaller change, at least this large, that exceeds those before and after it
_CONTRAST = 3.0  # by this factor
_SUSTAINED = 1.3  # changes within this factor before, across and after are fast motion


def thumbnail(luma: Float[np.ndarray | jax.Array, "..."]) -> Float[np.ndarray, "18 32"]:
    """A frame's luma `h w` in [0, 1] averaged down to the size that cuts are found on; noise averages out.

    Raises:
      ClipError: the array is not a plane of luma.
    """
    if luma.ndim != 2 or 0 in luma.shape:
        raise ClipError(f"a thumbnail is made of a luma plane h w, not of shape {luma.shape}")
    height, width = THUMBNAIL_SHAPE
    return cv2.resize(np.asarray(luma, np.float32), (width, height), interpolation=cv2.INTER_AREA)


def shot_starts(thumbnails: Iterable[Float[np.ndarray, "18 32"]]) -> Iterator[bool]:
    """Whether each frame is the first of its shot; one frame behind the thumbnails, as `ShotDetector` is."""
    detector = ShotDetector()
    for picture in thumbnails:
        verdict = detector.push(picture)
        if verdict is not None:
            yield verdict
    verdict = detector.finish()
    if verdict is not None:
        yield verdict


class ShotDetector:
    """Finds cuts as thumbnails come in, one frame behind, with four of them in memory.

    A frame starts a shot if it differs from both frames before it, and the frame after it differs from the one before
    it. A flash of one frame fails one of these tests. During sustained fast motion the changes before and after are as
    large as the one between, so it is no cut.
    """

    def __init__(self) -> None:
        self._recent: list[
            np.ndarray
        ] = []  # at most two frames before the next one to judge, that one, the one after it
        self._judged = 0  # the index in `_recent` of the next frame to judge

    def push(self, picture: Float[np.ndarray, "..."]) -> bool | None:
        """Takes the next frame's thumbnail. Returns whether the frame before it starts a shot; `None` if it has none.

        Raises:
          ClipError: not a thumbnail of luma.
        """
        if picture.shape != THUMBNAIL_SHAPE:
            raise ClipError(f"a thumbnail of shape {picture.shape} is not {THUMBNAIL_SHAPE}: make it with thumbnail()")
        self._recent.append(np.asarray(picture, np.float32))
        return self._judge() if len(self._recent) > self._judged + 1 else None

    def finish(self) -> bool | None:
        """Whether the last frame starts a shot, `None` without frames. The detector then starts afresh."""
        verdict = self._judge() if self._recent else None
        self._recent, self._judged = [], 0
        return verdict

    def _judge(self) -> bool:
        verdict = _starts_shot(self._recent[: self._judged], self._recent[self._judged :])
        self._recent = self._recent[-3:] if self._judged == 2 else self._recent
        self._judged = min(self._judged + 1, 2)
        return verdict


def _starts_shot(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    """Whether a cut lies between up to two frames before it and up to two after it."""
    if not before:
        return True
    across = change(before[-1], after[0])
    if across < _LONE_CUT:
        return False
    if len(before) > 1:
        across = min(across, change(before[-2], after[0]))
    if len(after) > 1:
        across = min(across, change(before[-1], after[1]))
    if across < _LONE_CUT:
        return False
    beside = [change(*side) for side in (before, after) if len(side) == 2]
    if across >= _CUT:
        return len(beside) < 2 or across >= _SUSTAINED * min(beside)
    return len(beside) > 0 and across >= _CONTRAST * max(beside)


def change(first: Float[np.ndarray, "18 32"], second: Float[np.ndarray, "18 32"]) -> float:
    """How different two frames are, from 0 to about 1: the geometric mean of their changes in brightness and structure.

    Brightness: the mean absolute difference about its median, so flicker does not count. Structure: the share of the
    blocks' variance that no displacement within reach explains. Noise changes the first little, motion the second.
    """
    difference = second - first
    brightness = float(np.abs(difference - np.median(difference)).mean())
    if 2 * brightness < _LONE_CUT**2:  # structure is at most 2: it cannot become a cut, so it is not searched
        return 0.0
    return float(np.sqrt(brightness * _unexplained(first, second)))


def _unexplained(first: np.ndarray, second: np.ndarray) -> float:
    """The variance left in the first frame's blocks by their best match in the second, over the two frames' mean."""
    height, width = first.shape
    padded = np.pad(second, _REACH, mode="edge")
    shifted = np.lib.stride_tricks.sliding_window_view(padded, (height, width))
    left = _block_energy(shifted - first).min(axis=(0, 1)).sum()
    whole = (_block_energy(first).sum() + _block_energy(second).sum()) / 2
    return float(min(left / (whole + 1e-3), 2.0))


def _block_energy(planes: np.ndarray) -> np.ndarray:
    """Sum of squares about the mean, per block: `... h w` to `... 3 4`."""
    rows, columns = _BLOCKS
    height, width = THUMBNAIL_SHAPE[0] // rows, THUMBNAIL_SHAPE[1] // columns
    blocks = planes.reshape(*planes.shape[:-2], rows, height, columns, width)
    total = blocks.sum(axis=(-3, -1))
    squares = np.einsum("...ahbw,...ahbw->...ab", blocks, blocks)
    return squares - total**2 / (height * width)
