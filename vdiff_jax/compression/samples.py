"""Short pieces of a video on which the encoder tries what the decoder will do."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import operator_responses
from vdiff_jax.preprocess.planes import sample_range

_LENGTH = 12
"""Frames of a piece."""
_WARM = 2
"""Frames at either end of a piece that aren't measured."""
_PIXELS = 12_000_000
"""Pixels of all pieces."""
_MOST = 8


class Piece(NamedTuple):
    """Frames in a row.

    Attributes:
      source: as they should be, in the encoder's pixel format.
      decoded: as the track shows them.
      measured: those that are: the decoder comes to the first with more memory, and sees beyond the last.
    """

    source: list[Frame]
    decoded: list[Frame]
    measured: slice


class Moments(NamedTuple):
    """Means over each frame's Y', Cb and Cr of products of the error and of what k operators make of it.

    Attributes:
      error: the squared error.
      cross: the error times each operator.
      gram: each operator times each.
    """

    error: Float[np.ndarray, "n 3"]
    cross: Float[np.ndarray, "n 3 k"]
    gram: Float[np.ndarray, "n 3 k k"]

    def best(self, used: slice = slice(None)) -> Float[np.ndarray, "3 k"]:
        """The conductivities of least error, each frame's counting as a share of its own; 0 for what isn't used."""
        weight = 1 / np.maximum(self.error, 1e-3)
        gram = np.einsum("nc,nckl->ckl", weight, self.gram)[:, used, used]
        cross = np.einsum("nc,nck->ck", weight, self.cross)[:, used]
        size = gram.shape[-1]
        ridge = 1e-4 * np.trace(gram, axis1=1, axis2=2)[:, None, None] / size + 1e-9
        found = np.zeros((3, self.cross.shape[-1]))
        found[:, used] = -np.linalg.solve(gram + ridge * np.eye(size), cross[..., None])[..., 0]
        return found

    def left(self, conductivities: Float[np.ndarray, "3 k"]) -> Float[np.ndarray, "n 3"]:
        """The mean squared error with them."""
        linear = 2 * np.einsum("nck,ck->nc", self.cross, conductivities)
        return self.error + linear + np.einsum("nckl,ck,cl->nc", self.gram, conductivities, conductivities)

    def gained(self, conductivities: Float[np.ndarray, "3 k"]) -> Float[np.ndarray, "3"]:
        """By how many dB the PSNR of Y', Cb and Cr rises in the mean over the frames."""
        return 10 * np.log10((self.error + 1e-3) / (np.maximum(self.left(conductivities), 0) + 1e-3)).mean(axis=0)


def windows(count: int, pixels: int) -> list[tuple[range, slice]]:
    """Which frames to look at, piece by piece, of `count` frames of so many pixels; and which of those to measure."""
    pieces = int(np.clip(_PIXELS // (pixels * _LENGTH), 1, _MOST))
    if count <= pieces * _LENGTH:
        return [(range(count), slice(None))]
    # Each in the middle of its share of the video, from an even frame on, which every track keeps.
    starts = [2 * int(((n + 0.5) * count / pieces - _LENGTH / 2) / 2) for n in range(pieces)]
    return [(range(start, start + _LENGTH), slice(_WARM, _LENGTH - _WARM)) for start in starts]


def cut(frames: Iterator[Frame], chosen: Sequence[range]) -> list[list[Frame]]:
    """The frames of each window."""
    pieces, at = [], 0
    for window in chosen:
        pieces.append(list(itertools.islice(frames, window.start - at, window.stop - at)))
        at = window.stop
    return pieces


def moments(piece: Piece, restored: Sequence[Frame], pixels: PixelFormat, sigma: Float[np.ndarray, "3"]) -> Moments:
    """What the operators make of a piece.

    Args:
      piece: the piece.
      restored: as the network has it; its decoded frames without one.
      pixels: what all mean.
      sigma: the usual error of Y', Cb and Cr, in samples.
    """
    rows = []
    measured = set(range(len(piece.decoded))[piece.measured])
    for index, (frame, operators) in enumerate(operator_responses(piece.decoded, restored, pixels, sigma)):
        if index in measured:
            rows.append([_products(*three) for three in zip(frame.planes, piece.source[index].planes, operators)])
            rows[-1] += [tuple(np.zeros_like(part) for part in rows[-1][0])] * (3 - len(rows[-1]))
    return Moments(*(np.array([[channel[part] for channel in row] for row in rows]) for part in range(3)))


def _products(plane: np.ndarray, truth: np.ndarray, operators: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    error = plane.astype(np.float32).ravel() - truth.ravel()
    terms = np.stack(operators).reshape(len(operators), -1)
    return np.asarray(np.mean(error**2, dtype=np.float64)), terms @ error / error.size, terms @ terms.T / error.size


def together(parts: Sequence[Moments]) -> Moments:
    """Several pieces' as one."""
    return Moments(*(np.concatenate(column) for column in zip(*parts)))


def spans(pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """The samples of Y', Cb and Cr that span 1."""
    return np.array([sample_range(pixels, chroma=index > 0)[1] for index in range(3)])
