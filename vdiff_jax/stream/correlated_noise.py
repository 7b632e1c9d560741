"""Noise that is correlated in space, such as film grain: tells it from moving texture, and measures it."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.stream.dis import FINE as FINE_FLOW
from vdiff_jax.stream.dis import dense_flow, make_dis

FINE = np.array([1.0, -2.0, 1.0], np.float32)
COARSE = np.array([1.0, 0.0, -2.0, 0.0, 1.0], np.float32)
"""Second differences. A filter in x and one in y give a band of a picture."""
_BLOCK = 16
"""The side of a block, in pixels."""
_FEWEST, _SMALLEST = 64, 32
"""Fewer blocks, or frames with a shorter side, do not show whether noise is everywhere."""
_ALIKE, _SHARE = 1.35, 0.4
"""Noise is everywhere if the strengths of this share of the blocks differ by at most this factor. No clean clip of 117
has a share above 0.34; under film grain of sigma 10 it is 0.43 to 0.82 on 17 of 18 scenes."""
_WEAKEST = 0.7 / 255
"""Weaker noise is not looked for."""
_CORRELATED = 0.6
"""Noise is correlated if the variance in the fine band is less than this share of that in the coarse band."""
_MOST = 1_000_000
"""Pixels: of larger frames the middle is measured."""


def correlated_variance(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> Float[np.ndarray, " c"]:
    """The variance of each channel's correlated noise before it was filtered; 0 where there is none.

    What stands still or follows the motion leaves the difference of two frames. What is left of texture differs
    from block to block. Noise is as strong in many of them.

    Args:
      pairs: a frame and the next one, `h w c` in [0, 1].
    """
    if not pairs or min(pairs[0][0].shape[:2]) < _SMALLEST:
        return np.zeros(1)
    measured = [_block_variances(*(_middle(frame) for frame in pair)) for pair in pairs]
    fine, coarse = (np.concatenate(bands) for bands in zip(*measured))
    return np.array([_common_variance(fine[:, c], coarse[:, c]) for c in range(fine.shape[1])])


def _common_variance(fine: Float[np.ndarray, " n"], coarse: Float[np.ndarray, " n"]) -> float:
    """The variance of the noise, if enough blocks have the same: from their variances in a fine and a coarse band."""
    order = np.argsort(coarse)
    ascending = coarse[order]
    counts = np.searchsorted(ascending, _ALIKE**2 * ascending, side="right") - np.arange(len(order))
    counts[ascending < _WEAKEST**2] = 0
    if len(order) < _FEWEST or counts.max() < _SHARE * len(order):
        return 0.0
    first = int(counts.argmax())
    alike = order[first : first + counts[first]]
    detail, whole = np.median(fine[alike]), np.median(coarse[alike])
    if detail > _CORRELATED * whole:
        return 0.0
    return float(whole / np.interp(detail / whole, *_RATIOS_AND_SHARES))


def _block_variances(
    frame: Float[np.ndarray, "h w c"], following: Float[np.ndarray, "h w c"]
) -> tuple[Float[np.ndarray, "n c"], Float[np.ndarray, "n c"]]:
    """Each block's variance in the difference of two frames, in a fine and a coarse band, as if it were all noise.

    The difference is that at the same place or that along the motion, whichever has less. The motion of each block is
    rounded to whole pixels, so that it does not smooth noise.
    """
    height, width = (side // _BLOCK * _BLOCK for side in frame.shape[:2])
    here, there = (np.ascontiguousarray(each[:height, :width]) for each in (frame, following))
    levels = [np.clip(np.rint(255 * each.mean(axis=-1)), 0, 255).astype(np.uint8) for each in (here, there)]
    flow = dense_flow(make_dis(FINE_FLOW), *levels)
    tiles = flow.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, 2)
    motion = np.rint(np.median(tiles, axis=(1, 3))).repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1).astype(int)
    rows, columns = np.mgrid[:height, :width]
    places = np.clip(rows + motion[..., 1], 0, height - 1), np.clip(columns + motion[..., 0], 0, width - 1)

    def variances(band: Float[np.ndarray, " k"]) -> tuple[np.ndarray, np.ndarray]:
        one, other = (cv2.sepFilter2D(each, cv2.CV_32F, band, band).reshape(here.shape) for each in (here, there))
        unit = 2 * np.sum(band**2) ** 2
        still, along = (
            cv2.resize(np.square(each - one), (width // _BLOCK, height // _BLOCK), interpolation=cv2.INTER_AREA)
            for each in (other, other[places])
        )
        return still.reshape(-1, here.shape[2]) / unit, along.reshape(-1, here.shape[2]) / unit

    (still, along), (fine, fine_along) = variances(COARSE), variances(FINE)
    return np.where(still <= along, fine, fine_along), np.minimum(still, along)


def _middle(frame: Float[np.ndarray, "h w c"]) -> Float[np.ndarray, "h2 w2 c"]:
    """The middle of a frame of more than `_MOST` pixels: about so many."""
    part = min(1.0, math.sqrt(_MOST / (frame.shape[0] * frame.shape[1])))
    rows, columns = (slice(int(side * (1 - part) / 2), int(side * (1 + part) / 2)) for side in frame.shape[:2])
    return frame[rows, columns]


def _ratios_and_shares() -> tuple[np.ndarray, np.ndarray]:
    """For filtered white noise: the variance of the fine band over the coarse, and of the coarse band over all."""
    offsets = np.arange(-4, 5)
    ratios, shares = [], []
    for width in np.linspace(1.2, 0.2, 21):
        kernel = np.exp(-(offsets**2) / (2 * width**2))
        kernel /= np.linalg.norm(kernel)
        fine, coarse = (np.sum(np.convolve(kernel, taps) ** 2) / np.sum(taps**2) for taps in (FINE, COARSE))
        ratios.append((fine / coarse) ** 2)
        shares.append(coarse**2)
    return np.array(ratios), np.array(shares)


_RATIOS_AND_SHARES = _ratios_and_shares()
