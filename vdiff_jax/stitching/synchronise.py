"""Finds when each camera started: the offset at which two cameras see the same changes, or share most features."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.stitching.features import Features, match_pair
from vdiff_jax.stitching.source import LUMA

_STEP = 0.25  # frames: offsets are tried at this interval before the peak is refined
_LEAST_COMMON = 0.3  # of the shorter clip: the time that two clips must share
_MOMENTS = 5  # moments whose features are matched together at each offset


@dataclasses.dataclass(frozen=True, kw_only=True)
class Offset:
    """An offset between two cameras and how reliable it is.

    Attributes:
      seconds: the second camera's start on the first one's clock.
      agreement: how well the cameras agree at this offset, 0 or less to 1.
      margin: how much better they agree there than at any offset farther away than three steps.
    """

    seconds: float
    agreement: float
    margin: float

    @property
    def found(self) -> bool:
        """Whether the peak is high and distinct enough to be trusted."""
        return self.agreement > 0.3 and self.margin > 0.03


def find_offset(
    first: Float[np.ndarray, "n c"],
    first_times: Float[np.ndarray, " n"],
    second: Float[np.ndarray, "m c"],
    second_times: Float[np.ndarray, " m"],
    *,
    largest: float = 3.0,
) -> Offset:
    """Returns the offset of two signals of any rates, to a fraction of a frame, by correlation.

    Args:
      first: the first camera's signal over time, from `change_signal`.
      first_times: seconds since the first camera's start.
      second: the second camera's signal, with the same channels.
      second_times: seconds since the second camera's start.
      largest: the largest offset that is tried, in seconds.
    """
    interval = max(np.median(np.diff(first_times)), np.median(np.diff(second_times)))
    shorter = min(first_times[-1], second_times[-1])
    largest = min(largest, (1 - _LEAST_COMMON) * shorter)
    steps = int(largest / (interval * _STEP))
    tried = np.arange(-steps, steps + 1) * interval * _STEP
    scores = np.array([_correlation(first, first_times, second, second_times, offset) for offset in tried])
    best = int(scores.argmax())
    far = np.abs(tried - tried[best]) > 3 * interval
    margin = scores[best] - (scores[far].max() if far.any() else -1.0)
    estimates = [
        _refine_offset(one, one_times, other, other_times, float(tried[best]), float(interval))
        for (one, one_times), (other, other_times) in (
            ((first, first_times), (second, second_times)),
            (_derivative(first, first_times), _derivative(second, second_times)),
        )
    ]
    seconds, _ = min(estimates, key=lambda estimate: estimate[1])
    return Offset(seconds=seconds, agreement=float(scores[best]), margin=float(margin))


def _derivative(signal: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A signal's change per second from frame to frame, and the times halfway between the frames."""
    return np.diff(signal, axis=0) / np.diff(times)[:, None], 0.5 * (times[1:] + times[:-1])


def _refine_offset(
    first: np.ndarray, first_times: np.ndarray, second: np.ndarray, second_times: np.ndarray, near: float, frame: float
) -> tuple[float, float]:
    """The offset within a frame of `near` at which two signals correlate best, and its variance up to a factor.

    The offset is the peak of the parabola through the best offset tried and those one frame before and after it. Its
    variance falls with the correlation and with the sharpness of the peak (Knapp and Carter, The Generalized
    Correlation Method for Estimation of Time Delay, 1976).
    """
    reach = round(1 / _STEP)
    tried = near + frame * np.arange(-2 * reach, 2 * reach + 1) * _STEP
    scores = np.array([_correlation(first, first_times, second, second_times, offset) for offset in tried])
    best = reach + int(scores[reach:-reach].argmax())
    left, middle, right = scores[[best - reach, best, best + reach]]
    curvature = 2 * middle - left - right
    if min(middle, curvature) <= 1e-6:
        return near, np.inf
    shift = np.clip(0.5 * (right - left) / curvature, -0.5, 0.5)
    return float(tried[best] + shift * frame), float((1 - middle**2) / (middle * curvature))


def _correlation(
    first: np.ndarray, first_times: np.ndarray, second: np.ndarray, second_times: np.ndarray, offset: float
) -> float:
    """The correlation of the first signal with the second one shifted by an offset, over their common time."""
    moved = second_times + offset
    common = (first_times >= moved[0]) & (first_times <= moved[-1])
    if common.sum() < 4:
        return -1.0
    one = first[common]
    position = np.interp(first_times[common], moved, np.arange(len(moved)))
    low = np.minimum(position.astype(int), len(moved) - 2)
    share = (position - low)[:, None]
    one, before, after = (each - each.mean(axis=0) for each in (one, second[low], second[low + 1]))
    other = before * (1 - share) + after * share
    # The power is interpolated, not taken from the interpolated signal. Interpolation halfway between two frames halves
    # the noise, which would raise the correlation there.
    power = np.sqrt((one**2).sum() * (before**2 * (1 - share) + after**2 * share).sum())
    return float((one * other).sum() / power) if power > 1e-9 else -1.0


def change_signal(pictures: Float[np.ndarray, "k h w 3"], seen: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "k c"]:
    """Returns how each cell of a coarse grid over the common view differs from its median over time.

    The median over all cells is subtracted at each moment, so that changes of exposure do not count.

    Args:
      pictures: one camera's frames on the reduced canvas, code values.
      seen: the cells that both cameras see.
    """
    luma = (pictures @ LUMA.astype(np.float32)) * seen
    size = (max(4, seen.shape[1] // 4), max(4, seen.shape[0] // 4))
    weight = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    cells = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in luma.astype(np.float32)])
    inside = weight > 0.5
    change = cells[:, inside] / weight[inside]
    change = change - np.median(change, axis=0)
    change = change - np.median(change, axis=1, keepdims=True)
    # The square root keeps a few bright moving things from dominating.
    return np.sign(change) * np.sqrt(np.abs(change))


def offset_from_features(
    first: Sequence[tuple[float, Features]], second: Sequence[tuple[float, Features]], *, step: float
) -> Offset:
    """Returns the offset at which most features of two cameras fit one homography; coarse, but for moving rigs too.

    Cameras that are carried together are related by one homography only if their frames are from the same moments.

    Args:
      first: moments of the first camera: seconds since its start, and the features.
      second: moments of the second camera, in seconds since its own start.
      step: the interval at which offsets are tried, in seconds.
    """
    most = int((1 - _LEAST_COMMON) * min(first[-1][0], second[-1][0]) / step)
    tried = np.arange(-most, most + 1) * step
    counts = np.array([_inliers(first, second, offset, step) for offset in tried])
    best = int(counts.argmax())
    far = np.abs(tried - tried[best]) > 3 * step
    rival = counts[far].max() if far.any() else 0.0
    margin = float(1 - rival / max(counts[best], 1e-9))
    return Offset(seconds=float(tried[best]), agreement=float(counts[best] > 0), margin=margin)


def _inliers(first: Sequence, second: Sequence, offset: float, step: float) -> float:
    """How many matches per moment fit one homography at an offset, over up to five moments."""
    pairs = []
    for time, features in first:
        other = min(second, key=lambda moment: abs(moment[0] + offset - time))
        if abs(other[0] + offset - time) <= 0.5 * step + 1e-6:
            pairs.append((features, other[1]))
    chosen = pairs[:: max(1, -(-len(pairs) // _MOMENTS))]
    if len(chosen) < 2:
        return 0.0
    matches = match_pair((0, 1), chosen)
    return 0.0 if matches is None else len(matches.points) / len(chosen)
