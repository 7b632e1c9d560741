"""Short pieces of a video on which the encoder tries what the decoder will do."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax.media.pixels import Frame

_LENGTH = 12
"""Frames of a piece."""
_WARM = 2
"""Frames at a piece's start that aren't measured: the decoder comes to them with more memory."""
_PIXELS = 24_000_000
"""Pixels of all pieces."""
_MOST = 8


class Piece(NamedTuple):
    """Frames in a row.

    Attributes:
      source: as they should be, in the encoder's pixel format.
      decoded: as the track shows them.
      warm: how many of the first are not measured.
    """

    source: list[Frame]
    decoded: list[Frame]
    warm: int


class Moments(NamedTuple):
    """Means over each frame's Y', Cb and Cr: of the squared error, the error times the change, the squared change."""

    error: Float[np.ndarray, "n 3"]
    cross: Float[np.ndarray, "n 3"]
    change: Float[np.ndarray, "n 3"]

    def gains(self) -> Float[np.ndarray, "3"]:
        """How much of the change to take for the lowest error, each frame's counting as a share of its own."""
        weight = 1 / np.maximum(self.error, 1e-9)
        best = -(weight * self.cross).sum(axis=0) / np.maximum((weight * self.change).sum(axis=0), 1e-9)
        return np.clip(best, 0, 1.98)

    def left(self, gains: Float[np.ndarray, "3"]) -> Float[np.ndarray, "n 3"]:
        """The mean squared error with that much of the change."""
        return np.maximum(self.error + 2 * gains * self.cross + gains**2 * self.change, 1e-9)

    def gained(self, gains: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
        """By how many dB the PSNR of Y', Cb and Cr rises in the mean over the frames."""
        return 10 * np.log10(np.maximum(self.error, 1e-9) / self.left(gains)).mean(axis=0)


def windows(count: int, pixels: int) -> list[tuple[range, int]]:
    """Which frames to look at, piece by piece, of `count` frames of so many pixels; and how many are to warm up."""
    pieces = int(np.clip(_PIXELS // (pixels * _LENGTH), 1, _MOST))
    if count <= pieces * _LENGTH:
        return [(range(count), 0)]
    # Each in the middle of its share of the video.
    starts = [int((n + 0.5) * count / pieces - _LENGTH / 2) for n in range(pieces)]
    return [(range(start, start + _LENGTH), _WARM) for start in starts]


def cut(frames: Iterator[Frame], chosen: Sequence[tuple[range, int]]) -> list[list[Frame]]:
    """The frames of each window."""
    pieces, at = [], 0
    for window, _ in chosen:
        pieces.append(list(itertools.islice(frames, window.start - at, window.stop - at)))
        at = window.stop
    return pieces


def moments(piece: Piece, plain: Sequence[Frame], restored: Sequence[Frame]) -> Moments:
    """What the network changed of a piece.

    Args:
      piece: the piece.
      plain: as it would be shown without the network.
      restored: as it is with it.
    """
    rows = []
    for source, before, after in zip(piece.source[piece.warm :], plain[piece.warm :], restored[piece.warm :]):
        row = []
        for truth, decoded, result in zip(source.planes, before.planes, after.planes):
            error = decoded.astype(np.float32) - truth
            change = result.astype(np.float32) - decoded
            row.append((np.mean(error**2), np.mean(error * change), np.mean(change**2)))
        rows.append(row + [(0.0, 0.0, 0.0)] * (3 - len(row)))
    return Moments(*np.moveaxis(np.array(rows, np.float64), -1, 0))


def together(parts: Sequence[Moments]) -> Moments:
    """Several pieces' as one."""
    return Moments(*(np.concatenate(column) for column in zip(*parts)))
