"""Blind noise estimation: the standard deviation of a clip's noise, from its frames alone."""

import math

import cv2
import jax
import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import ClipError

_BLOCK = 16  # pixels a side of the blocks whose variances are compared
_PATCH = 4  # pixels a side of the patches whose means tell how much of the noise was clipped
_SECOND_DIFFERENCE = np.array([1.0, -2.0, 1.0], np.float32)
_QUANTUM = 0.25 / 255  # frames that differ by less than this everywhere are the same frame

_vector_erf = np.vectorize(math.erf, otypes=[float])


def estimate_sigma(clip: Float[np.ndarray | jax.Array, "..."], *, pairs: int = 6) -> float:
    """The standard deviation of a clip's noise, one figure for all channels (root mean square).

    For RGB or luma, where clipping at 0 and 1 can be undone. The channels of a Y'CbCr clip differ in noise: use
    `estimate_sigma_channels` for them.

    Args:
      clip: noisy frames `t h w c` in [0, 1], at least 8 pixels a side.
      pairs: at most this many pairs of neighbouring frames are used, evenly distributed over the clip.

    Returns:
      Sigma in the unit of the clip (8-bit sigma / 255), before clipping.

    Raises:
      ClipError: the array is no clip, or its frames are too small.
    """
    return float(np.sqrt(np.mean(np.square(estimate_sigma_channels(clip, pairs=pairs)))))


def estimate_sigma_channels(clip: Float[np.ndarray | jax.Array, "..."], *, pairs: int = 6) -> Float[np.ndarray, " c"]:
    """The standard deviation of each channel's noise, for noise that is white in space and time.

    The difference of neighbouring frames removes what stands still, and its second difference in x and y removes what
    is smooth (Immerkær 1996). The variance of this residual is measured in 16×16 blocks. Only the lowest variances
    count, those of blocks without texture: the largest set whose mean is no larger than its median. Chen, Zhu and Heng
    (ICCV 2015) select eigenvalues by the same rule. Noise that was clipped at 0 and 1 is corrected by the variance that
    clipping leaves at the block's brightness (Foi 2009).

    Args:
      clip: noisy frames `t h w c` in [0, 1], at least 8 pixels a side; a single frame is measured in space alone.
      pairs: at most this many pairs of neighbouring frames are used, evenly distributed over the clip.

    Returns:
      Sigma of each channel, in the unit of the clip, before clipping.

    Raises:
      ClipError: the array is no clip, or its frames are too small.
    """
    if clip.ndim != 4 or clip.shape[0] < 1:
        raise ClipError(f"noise is estimated from a clip t h w c with at least one frame, not from shape {clip.shape}")
    if min(clip.shape[1:3]) < 8:
        raise ClipError(f"frames of {clip.shape[2]}×{clip.shape[1]} pixels are too small to estimate noise: pass sigma")
    block = min(_BLOCK, (min(clip.shape[1:3]) - 2) // _PATCH * _PATCH)
    measured = [_block_statistics(*frames, block=block) for frames in _chosen_frames(clip, pairs)]
    variances = np.concatenate([variance for variance, _ in measured])
    patch_means = np.concatenate([mean for _, mean in measured])
    return np.array([_sigma(variances[:, c], patch_means[..., c], block=block) for c in range(clip.shape[-1])])


def _chosen_frames(clip: np.ndarray | jax.Array, pairs: int) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Pairs (frame, next frame) from all over the clip; (frame, None) where the next shows the same picture."""
    count = len(clip)
    starts = np.unique(np.linspace(0, max(count - 2, 0), min(pairs, max(count // 2, 1))).astype(int))
    chosen = []
    for start in starts:
        frame = np.asarray(clip[start], np.float32)
        following = np.asarray(clip[start + 1], np.float32) if start + 1 < count else None
        repeated = following is None or np.abs(following - frame).max() < _QUANTUM
        chosen.append((frame, None if repeated else following))
    return chosen


def _block_statistics(frame: np.ndarray, following: np.ndarray | None, *, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Each block's variance `n c`, scaled as if it were all noise, and the means of its patches `n patches c`."""
    if following is None:
        residual, mean, gain = frame, frame, 36.0
    else:
        residual, mean, gain = following - frame, (following + frame) / 2, 72.0
    residual = cv2.sepFilter2D(residual, cv2.CV_32F, _SECOND_DIFFERENCE, _SECOND_DIFFERENCE)
    residual, mean = (x.reshape(*frame.shape)[1:-1, 1:-1] for x in (residual, mean))
    rows, columns = (size // block for size in residual.shape[:2])
    residual, mean = (x[: rows * block, : columns * block] for x in (residual, mean))
    variance = _block_means(residual * residual, block).reshape(rows * columns, -1) / gain
    per_block = block // _PATCH
    patches = _block_means(mean, _PATCH).reshape(rows, per_block, columns, per_block, -1)
    return variance, patches.transpose(0, 2, 1, 3, 4).reshape(rows * columns, per_block**2, -1)


def _block_means(plane: np.ndarray, block: int) -> np.ndarray:
    height, width, channels = plane.shape
    means = cv2.resize(plane, (width // block, height // block), interpolation=cv2.INTER_AREA)
    return means.reshape(height // block, width // block, channels)


def _sigma(variances: np.ndarray, patch_means: np.ndarray, *, block: int, rounds: int = 5) -> float:
    """Sigma of one channel from its blocks' variances `n` and patch means `n patches`, by fixed-point iteration."""
    freedom = block * block / np.sum((np.array([1, -4, 6, -4, 1]) / 6) ** 2) ** 2
    block_means = patch_means.mean(axis=1)
    sigma = math.sqrt(np.median(variances))
    for _ in range(rounds):
        if sigma < 1e-4:
            return float(sigma)
        # Clipped noise has a mean of at least 0.4 sigma. Blocks nearer to black or white have none: letterbox, sky.
        noisy = (block_means > 0.25 * sigma) & (block_means < 1 - 0.25 * sigma)
        if not noisy.any():
            return float(sigma)
        left = _variance_left(patch_means[noisy], sigma).mean(axis=1)
        sigma = math.sqrt(_noise_variance(variances[noisy] / left, freedom))
    return float(sigma)


def _noise_variance(variances: np.ndarray, freedom: float) -> float:
    """The variance of the noise, from the variances of blocks. Some of the blocks have texture too.

    The variance of noise in a block is chi-squared distributed. Its cube root is nearly normal (Wilson and Hilferty
    1931), so its mean equals its median unless texture adds a tail.
    """
    roots = np.sort(np.cbrt(variances))
    index = np.arange(len(roots))
    means = np.cumsum(roots) / (index + 1)
    medians = (roots[index // 2] + roots[(index + 1) // 2]) / 2
    smallest = min(max(10, len(roots) // 50), len(roots) - 1)
    balanced = np.flatnonzero((means <= medians) & (index >= smallest))
    last = balanced[-1] if len(balanced) else smallest
    return float((means[last] / (1 - 2 / (9 * freedom))) ** 3)


def _variance_left(observed_mean: np.ndarray, sigma: float) -> np.ndarray:
    """The share of the noise's variance that clipping to [0, 1] leaves where the clipped samples have this mean."""
    clean = np.linspace(-sigma, 1 + sigma, 129)  # beyond 0 and 1, because the mean of a noisy block may lie there
    low, high = -clean / sigma, (1 - clean) / sigma
    density_low, density_high = (np.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in (low, high))
    below, above = (1 + _vector_erf(low / math.sqrt(2))) / 2, (1 - _vector_erf(high / math.sqrt(2))) / 2
    inside = 1 - below - above
    mean = clean * inside + sigma * (density_low - density_high) + above
    square = (clean**2 + sigma**2) * inside + above
    square += 2 * clean * sigma * (density_low - density_high) + sigma**2 * (low * density_low - high * density_high)
    return np.interp(observed_mean, mean, (square - mean**2) / sigma**2)
