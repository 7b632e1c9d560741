"""How far a video codec left a clip from what it was: expected from the quantisers, or estimated from the frames."""

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.media.quantisers import scale_of

MIDDLE = {"h264": 32.0, "hevc": 32.0, "vp9": 128.0, "mpeg2video": 4.0}
"""The middle of each scale's usual range; MPEG-2's in doublings."""

# log2 of the error of Y', Cb and Cr in 8-bit levels at the middle, and its slope. Measured by
# scripts/measure_coding.py; the frames' own errors lie around it by a factor of 1.5 (luma) to 2 (chroma).
ERROR = {
    "h264": ((2.03, 0.96, 0.76), (0.098, 0.056, 0.054)),
    "hevc": ((1.64, 0.79, 0.65), (0.105, 0.056, 0.045)),
    "vp9": ((1.30, 0.42, 0.21), (0.0152, 0.0108, 0.0117)),
    "mpeg2video": ((1.89, 0.94, 0.76), (0.546, 0.223, 0.205)),
}
# Of `features`, and a constant: log2 of luma's error; from the same script.
FEATURES = (0.533, -0.021, -0.242, 0.182, 0.143, -0.124, -0.017, 0.061, -2.622, -0.11, 1.748)


def expected_error(codec: str, quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
    """The error of Y', Cb and Cr (standard deviation, in levels) that frames coded with these quantisers usually have.

    Raises:
      KeyError: a codec whose quantisers can't be read.
    """
    scale = scale_of(codec)
    middle, slope = (np.array(row) for row in ERROR[scale])
    return np.exp2(middle + slope * heights(scale, quantisers)[:, None]).astype(np.float32) / 255


def heights(scale: str, quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Quantisers from the middle of their scale; MPEG-2's in doublings, as the others' are."""
    return (np.log2(np.maximum(quantisers, 1)) if scale == "mpeg2video" else quantisers) - MIDDLE[scale]


def estimated_error(luma: Float[np.ndarray, "t h w"]) -> float:
    """Luma's error estimated from decoded frames alone, in levels: half or twice of it is usual.

    Args:
      luma: in [0, 1], at least 32 pixels a side.
    """
    return float(np.exp2(np.dot(FEATURES, [*features(luma), 1.0]))) / 255


def features(luma: Float[np.ndarray, "t h w"]) -> list[float]:
    """What coding leaves its traces in, each as a logarithm to base 2 (but for shares).

    How much larger steps are on a grid of 8 and of 16 pixels; how much of the finest detail is left beside coarser;
    how little there is in the blocks that have least of it; how many neighbours in space and time are the same.
    """
    x = luma.astype(np.float32) * 255
    steps = [np.abs(np.diff(x, axis=axis)) for axis in (2, 1)]
    detail = np.stack([cv2.sepFilter2D(frame, cv2.CV_32F, _SECOND, _SECOND) for frame in x]) ** 2
    coarse = np.stack([cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for frame in x])
    blocks = np.stack([cv2.resize(frame, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA) for frame in detail])
    across = np.abs(np.diff(x, axis=0)) if len(x) > 1 else np.full((1, 1, 1), 255.0)
    return [
        _on_grid(steps, 8),
        _on_grid(steps, 16),
        _log(detail.mean()),
        _log(sum((step**2).mean() for step in steps)),
        _log(sum((np.diff(coarse, axis=axis) ** 2).mean() for axis in (2, 1))),
        *(_log(np.quantile(blocks, share)) for share in (0.1, 0.5, 0.9)),
        float(np.mean(steps[0] < 0.5)),
        float(np.mean(across < 0.5)),
    ]


def _on_grid(steps: list[np.ndarray], period: int) -> float:
    """Steps at the grid's strongest phase against all others, in both directions."""
    ratios = []
    for axis, step in zip((2, 1), steps):
        line = step.mean(axis=(0, 3 - axis))
        phases = line[: len(line) // period * period].reshape(-1, period).mean(axis=0)
        ratios.append(_log(phases.max()) - _log((phases.sum() - phases.max()) / (period - 1)))
    return float(np.mean(ratios))


def _log(value: float) -> float:
    return float(np.log2(value + 0.05))


_SECOND = np.array([1, -2, 1], np.float32)
