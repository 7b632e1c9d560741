"""Noise that is correlated in space, such as film grain: tells it from moving texture, and measures it."""

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.stream.dis import FINE as FINE_FLOW
from vdiff_jax.stream.dis import dense_flow, make_dis

FINE = np.array([1.0, -2.0, 1.0], np.float32)
COARSE = np.array([1.0, 0.0, -2.0, 0.0, 1.0], np.float32)
"""Second differences. A filter in x and one in y give a band of a picture."""
_BLOCK = 16
_FEWEST = 64
"""Fewer blocks than these do not show whether noise is everywhere."""
_EVEN = 2.5
"""Noise is everywhere: the median over blocks of the variance is less than this times its 5th percentile."""
_CORRELATED = 0.6
"""Noise is correlated if the variance in the fine band is less than this share of that in the coarse band."""
_CALM = 4
"""The one block in `_CALM` with the least variance counts."""
_TRACKED = 0.8
"""Below this share of what two frames differ by, what is left along the motion is texture. Noise leaves all of it."""


def correlated_variance(bands: Float[np.ndarray, "bands n"]) -> float:
    """The variance of correlated noise before it was filtered.

    It is 0 for white noise, and where the variance differs from block to block, as that of most texture does.

    Args:
      bands: the variance of each block in the difference of two frames, in a fine, a mixed and a coarse band, as if it
        were all white noise.
    """
    coarse = bands[2]
    low, middle = np.quantile(coarse, (0.05, 0.5))
    if len(coarse) < _FEWEST or not 0 < middle < _EVEN * low:
        return 0.0
    calm = bands[:, coarse <= np.quantile(coarse, 1 / _CALM)].mean(axis=1)
    if calm[0] > _CORRELATED * calm[2]:
        return 0.0
    return float(calm[2] / np.interp(calm[0] / calm[2], *_RATIOS_AND_SHARES))


def is_tracked(frame: Float[np.ndarray, "h w c"], following: Float[np.ndarray, "h w c"]) -> bool:
    """Whether the frames differ much less along the motion: then their differences are texture that moves.

    The motion of each block is rounded to whole pixels, so that it does not smooth noise.
    """
    height, width = (side // _BLOCK * _BLOCK for side in frame.shape[:2])
    here, there = (np.ascontiguousarray(each.mean(axis=-1)[:height, :width]) for each in (frame, following))
    levels = [np.clip(np.rint(255 * each), 0, 255).astype(np.uint8) for each in (here, there)]
    flow = dense_flow(make_dis(FINE_FLOW), *levels)
    tiles = flow.reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK, 2)
    motion = np.rint(np.median(tiles, axis=(1, 3))).repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1).astype(int)
    rows, columns = np.mgrid[:height, :width]
    here, there = (cv2.sepFilter2D(each, cv2.CV_32F, COARSE, COARSE) for each in (here, there))
    moved = there[np.clip(rows + motion[..., 1], 0, height - 1), np.clip(columns + motion[..., 0], 0, width - 1)]
    along, still = (
        cv2.resize(np.square(each - here), (width // _BLOCK, height // _BLOCK), interpolation=cv2.INTER_AREA)
        for each in (moved, there)
    )
    calm = still <= np.quantile(still, 1 / _CALM)
    return bool(along[calm].sum() < _TRACKED * still[calm].sum())


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
