"""When each camera started: the offset at which what two cameras see changes together."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.stitching.features import Features, match_pair

_STEP = 0.25  # of a frame: how finely offsets are tried before the peak is refined
_LEAST = 0.3  # of the shorter clip that two clips must share
_TOGETHER = 5  # moments that must agree on one geometry


@dataclasses.dataclass(frozen=True, kw_only=True)
class Offset:
    """What two signals say about when the second one started.

    Attributes:
      seconds: the second's start on the first's clock.
      agreement: their correlation there, -1 to 1.
      margin: by how much it exceeds the best correlation farther than three frames away.
    """

    seconds: float
    agreement: float
    margin: float

    @property
    def found(self) -> bool:
        """Whether the peak stands out enough to be believed."""
        return self.agreement > 0.3 and self.margin > 0.03


def find_offset(
    first: Float[np.ndarray, "n c"],
    first_times: Float[np.ndarray, " n"],
    second: Float[np.ndarray, "m c"],
    second_times: Float[np.ndarray, " m"],
    *,
    largest: float = 3.0,
) -> Offset:
    """Finds the offset of two signals sampled at their own times, whatever their rates, to a fraction of a frame.

    Args:
      first: the first camera's channels over time, as from `activity`.
      first_times: seconds since its start.
      second: the same channels of the second camera.
      second_times: seconds since the second's own start.
      largest: the largest offset tried, seconds.
    """
    interval = max(np.median(np.diff(first_times)), np.median(np.diff(second_times)))
    shorter = min(first_times[-1], second_times[-1])
    largest = min(largest, (1 - _LEAST) * shorter)
    steps = int(largest / (interval * _STEP))
    tried = np.arange(-steps, steps + 1) * interval * _STEP
    scores = np.array([_agreement(first, first_times, second, second_times, offset) for offset in tried])
    best = int(scores.argmax())
    # A longer common stretch makes the same correlation less likely by chance, so ties go to the smaller offset.
    far = np.abs(tried - tried[best]) > 3 * interval
    margin = scores[best] - (scores[far].max() if far.any() else -1.0)
    ways = [
        _exactly(one, one_times, other, other_times, float(tried[best]), float(interval))
        for (one, one_times), (other, other_times) in (
            ((first, first_times), (second, second_times)),
            (_change(first, first_times), _change(second, second_times)),
        )
    ]
    return Offset(seconds=min(ways, key=lambda way: way[1])[0], agreement=float(scores[best]), margin=float(margin))


def _change(signal: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a signal changes by from frame to frame, and when."""
    return np.diff(signal, axis=0) / np.diff(times)[:, None], 0.5 * (times[1:] + times[:-1])


def _exactly(
    first: np.ndarray, first_times: np.ndarray, second: np.ndarray, second_times: np.ndarray, near: float, frame: float
) -> tuple[float, float]:
    """The offset within a frame of `near` where two signals agree best, and its variance but for a factor.

    The offset is the top of the parabola through the best one and its neighbours a frame away. The less is left
    unexplained and the sharper the top, the more exact it is (Knapp and Carter, The Generalized Correlation Method for
    Estimation of Time Delay, 1976).
    """
    reach = round(1 / _STEP)
    tried = near + frame * np.arange(-2 * reach, 2 * reach + 1) * _STEP
    scores = np.array([_agreement(first, first_times, second, second_times, offset) for offset in tried])
    best = reach + int(scores[reach:-reach].argmax())
    left, middle, right = scores[[best - reach, best, best + reach]]
    bend = 2 * middle - left - right
    if min(middle, bend) <= 1e-6:
        return near, np.inf
    shift = np.clip(0.5 * (right - left) / bend, -0.5, 0.5)
    return float(tried[best] + shift * frame), float((1 - middle**2) / (middle * bend))


def _agreement(
    first: np.ndarray, first_times: np.ndarray, second: np.ndarray, second_times: np.ndarray, offset: float
) -> float:
    """The correlation of the first with the second moved by an offset, over the time that both hold."""
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
    # The power of frames, not of their mixture: halfway noise is halved, and offsets would seem to lie there.
    power = np.sqrt((one**2).sum() * (before**2 * (1 - share) + after**2 * share).sum())
    return float((one * other).sum() / power) if power > 1e-9 else -1.0


def activity(pictures: Float[np.ndarray, "k h w 3"], seen: np.ndarray) -> Float[np.ndarray, "k c"]:
    """What changes where: luma of the common part of the canvas on a coarse grid, each cell less its own median.

    A stray brightness or exposure change moves every cell, so each moment's median over the cells is taken off too.

    Args:
      pictures: one camera's frames on the reduced canvas, code values.
      seen: h w, the part that both cameras see.
    """
    luma = (pictures @ np.array([0.299, 0.587, 0.114], np.float32)) * seen
    size = (max(4, seen.shape[1] // 4), max(4, seen.shape[0] // 4))
    weight = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    cells = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in luma.astype(np.float32)])
    inside = weight > 0.5
    change = cells[:, inside] / weight[inside]
    change = change - np.median(change, axis=0)
    change = change - np.median(change, axis=1, keepdims=True)
    # A few bright movers would decide alone otherwise.
    return np.sign(change) * np.sqrt(np.abs(change))


def best_shift(
    first: Sequence[tuple[float, Features]], second: Sequence[tuple[float, Features]], *, step: float
) -> Offset:
    """The offset at which most features of two cameras agree on one homography; coarse, but whatever moves.

    Cameras that turn together show one homography at the same moments, and another for each pair of other ones.

    Args:
      first: moments of the first camera: seconds since its start, and the features.
      second: of the second camera, since its own start.
      step: seconds by which offsets are tried.
    """
    most = int((1 - _LEAST) * min(first[-1][0], second[-1][0]) / step)
    tried = np.arange(-most, most + 1) * step
    counts = np.array([_agreeing(first, second, offset, step) for offset in tried])
    best = int(counts.argmax())
    far = np.abs(tried - tried[best]) > 3 * step
    rival = counts[far].max() if far.any() else 0.0
    margin = float(1 - rival / max(counts[best], 1e-9))
    return Offset(seconds=float(tried[best]), agreement=float(counts[best] > 0), margin=margin)


def _agreeing(first: Sequence, second: Sequence, offset: float, step: float) -> float:
    """How many features a moment agree at an offset, over up to five moments."""
    pairs = []
    for time, features in first:
        other = min(second, key=lambda moment: abs(moment[0] + offset - time))
        if abs(other[0] + offset - time) <= 0.5 * step + 1e-6:
            pairs.append((features, other[1]))
    chosen = pairs[:: max(1, -(-len(pairs) // _TOGETHER))]
    if len(chosen) < 2:
        return 0.0
    found = match_pair((0, 1), chosen)
    return 0.0 if found is None else len(found.points) / len(chosen)
