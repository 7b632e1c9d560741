"""Blind noise estimation: the standard deviation of a clip's noise, from its frames alone."""

import math

import cv2
import jax
import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import ClipError
from vdiff_jax.stream.correlated_noise import COARSE, FINE, correlated_variance

_BLOCK = 16  # pixels a side of the blocks whose variances are compared
_PATCH = 4  # pixels a side of the patches whose means tell how much of the noise was clipped
_CALM, _GROUPS = 4, 8
"""One block in `_CALM` counts: those with least coarse detail. A line is fitted to the medians of `_GROUPS` groups."""
_FEWEST, _GROUP = 64, 6
"""If there are that many blocks, at least `_FEWEST` count, and a group has at least `_GROUP` of them."""
_CHANCE = 0.08
"""The variance of the median over n blocks of noise, times n, as a share of the square of the noise's variance."""
_DOUBT = 0.35
"""Noise below this share of the variance in the calmest blocks cannot be distinguished from texture: it counts as 0."""
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
      ClipError: the array is not a clip, or its frames are too small.
    """
    return float(np.sqrt(np.mean(np.square(estimate_sigma_channels(clip, pairs=pairs)))))


def estimate_sigma_channels(clip: Float[np.ndarray | jax.Array, "..."], *, pairs: int = 6) -> Float[np.ndarray, " c"]:
    """The standard deviation of each channel's noise, for noise that is white in time, and in space or nearly so.

    The difference of neighbouring frames removes what stands still, and its second difference in x and y removes what
    is smooth (Immerkær 1996). The variance of this residual is measured in 16×16 blocks, in three bands: fine in x and
    y, fine in one direction and coarse in the other, coarse in both. White noise has the same variance in all bands,
    moving texture has less in finer ones: see `_white_part`. So has film grain; it counts where many blocks have as
    much of it, at the same place and along the motion. Noise that was clipped at 0 and 1 is corrected by the variance
    that clipping leaves at the block's brightness (Foi 2009).

    Args:
      clip: noisy frames `t h w c` in [0, 1], at least 8 pixels a side; a single frame is measured in space alone.
      pairs: at most this many pairs of neighbouring frames are used, evenly distributed over the clip.

    Returns:
      Sigma of each channel, in the unit of the clip, before clipping.

    Raises:
      ClipError: the array is not a clip, or its frames are too small.
    """
    if clip.ndim != 4 or clip.shape[0] < 1:
        raise ClipError(f"noise is estimated from a clip t h w c with at least one frame, not from shape {clip.shape}")
    if min(clip.shape[1:3]) < 8:
        raise ClipError(f"frames of {clip.shape[2]}×{clip.shape[1]} pixels are too small to estimate noise: pass sigma")
    block = min(_BLOCK, (min(clip.shape[1:3]) - 2) // _PATCH * _PATCH)
    chosen = _chosen_frames(clip, pairs)
    measured = [_block_statistics(*frames, block=block) for frames in chosen]
    bands = np.concatenate([variances for variances, _ in measured], axis=1)
    patch_means = np.concatenate([mean for _, mean in measured])
    channels = range(clip.shape[-1])
    sigma = np.array([_sigma(bands[..., c], patch_means[..., c], block=block) for c in channels])
    correlated = np.sqrt(correlated_variance([(one, other) for one, other in chosen if other is not None]))
    return np.where(correlated > 0, correlated, sigma)


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
    """Each block's variance in three bands `3 n c`, as if it were all noise, and its patches' means `n patches c`."""
    residual, mean = (frame, frame) if following is None else ((following - frame), (following + frame) / 2)
    rows, columns = ((size - 2) // block for size in frame.shape[:2])

    def inner(plane: np.ndarray) -> np.ndarray:
        return plane.reshape(*frame.shape)[1:-1, 1:-1][: rows * block, : columns * block]

    def variance(across: np.ndarray, down: np.ndarray) -> np.ndarray:
        filtered = inner(cv2.sepFilter2D(residual, cv2.CV_32F, across, down))
        gain = np.sum(across**2) * np.sum(down**2) * (1 if following is None else 2)
        return _block_means(filtered * filtered, block).reshape(rows * columns, -1) / gain

    mixed = (variance(FINE, COARSE) + variance(COARSE, FINE)) / 2
    bands = np.stack([variance(FINE, FINE), mixed, variance(COARSE, COARSE)])
    per_block = block // _PATCH
    patches = _block_means(inner(mean), _PATCH).reshape(rows, per_block, columns, per_block, -1)
    return bands, patches.transpose(0, 2, 1, 3, 4).reshape(rows * columns, per_block**2, -1)


def _block_means(plane: np.ndarray, block: int) -> np.ndarray:
    height, width, channels = plane.shape
    means = cv2.resize(plane, (width // block, height // block), interpolation=cv2.INTER_AREA)
    return means.reshape(height // block, width // block, channels)


def _sigma(bands: np.ndarray, patch_means: np.ndarray, *, block: int, rounds: int = 5) -> float:
    """Sigma of one channel from its blocks' variances `3 n` and patch means `n patches`, by fixed-point iteration."""
    freedom = block * block / np.sum((np.array([1, -4, 6, -4, 1]) / 6) ** 2) ** 2
    block_means = patch_means.mean(axis=1)
    sigma = math.sqrt(np.median(bands[0]))
    for _ in range(rounds):
        if sigma < 1e-4:
            return float(sigma)
        # Clipped noise has a mean of at least 0.4 sigma. Blocks nearer to black or white have none: letterbox, sky.
        noisy = (block_means > 0.25 * sigma) & (block_means < 1 - 0.25 * sigma)
        noisy &= (patch_means.min(axis=1) > 0.05 * sigma) & (patch_means.max(axis=1) < 1 - 0.05 * sigma)
        if not noisy.any():
            return float(sigma)
        left = _variance_left(patch_means[noisy], sigma).mean(axis=1)
        sigma = math.sqrt(_white_part(bands[:, noisy] / left, freedom))
    return float(sigma)


def _white_part(bands: np.ndarray, freedom: float) -> float:
    """The variance of the white noise in blocks, from their variances `3 n` in a fine, a mixed and a coarse band.

    Texture that moves is in the difference of two frames too. Between blocks with more and less of it, the variance in
    the fine band changes along a line over that in the mixed band. Where this line reaches equal variance in both,
    there is noise alone. It is fitted to the blocks with the least coarse detail, in groups of similar coarse detail.
    """
    least = _noise_variance(bands[0], freedom)
    order = np.argsort(bands[2])[: max(bands.shape[1] // _CALM, _FEWEST)]
    groups = np.array_split(order, min(max(len(order) // _GROUP, 1), _GROUPS))
    fine, mixed = (np.array([np.median(band[group]) for group in groups]) for band in bands[:2])
    weight = 1 / ((fine + _QUANTUM**2) * (mixed + _QUANTUM**2))
    centre = np.average(mixed, weights=weight)
    level = np.average(fine, weights=weight)
    variance = np.average((mixed - centre) ** 2, weights=weight)
    chance = _CHANCE * centre**2 / (len(order) / len(groups))
    slope = np.average((mixed - centre) * (fine - level), weights=weight) / (variance + chance + 1e-12)
    slope = min(max(slope, 0.0), 0.9)
    white = (level - slope * centre) / (1 - slope) / (1 - 2 / (9 * freedom)) ** 3
    return 0.0 if white < _DOUBT * least else float(min(white, least))


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
