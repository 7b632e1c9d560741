"""When each camera started: the offset at which what two cameras see changes together."""

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.stitch.features import Features, match_pair

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
    return Offset(seconds=_peak(tried, scores, best), agreement=float(scores[best]), margin=float(margin))


def _peak(tried: np.ndarray, scores: np.ndarray, best: int) -> float:
    """The top of the parabola through a maximum and its neighbours one frame away."""
    reach = round(1 / _STEP)
    if not reach <= best < len(tried) - reach:
        return float(tried[best])
    left, middle, right = scores[[best - reach, best, best + reach]]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(tried[best] + np.clip(shift, -0.5, 0.5) * reach * (tried[1] - tried[0]))


def _agreement(
    first: np.ndarray, first_times: np.ndarray, second: np.ndarray, second_times: np.ndarray, offset: float
) -> float:
    """The correlation of the first with the second moved by an offset, over the time that both hold."""
    moved = second_times + offset
    common = (first_times >= moved[0]) & (first_times <= moved[-1])
    if common.sum() < 4:
        return -1.0
    times = first_times[common]
    one = first[common]
    position = np.interp(times, moved, np.arange(len(moved)))
    low = np.minimum(position.astype(int), len(moved) - 2)
    share = (position - low)[:, None]
    other = second[low] * (1 - share) + second[low + 1] * share
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    power = np.sqrt((one**2).sum() * (other**2).sum())
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
