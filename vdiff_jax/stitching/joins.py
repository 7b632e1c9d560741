"""Joins two clips: finds takes of the same moment, matches colours, size and rate."""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.postprocess.exposure import is_gray
from vdiff_jax.stitching.source import LUMA, RGB

_SIZE = (64, 36)  # width and height of the small frames that are compared
_LONGEST_OVERLAP = 300  # frames
_SHORTEST_OVERLAP = 4  # frames
_SAME_MOMENT = 0.15  # frames whose normalised distance is smaller, in the mean, show the same moments
_SAME_SCENE = 0.8  # so do frames of one scene a few frames apart; frames of unrelated scenes differ by 1.0 to 1.6
_LARGEST_LOG_GAIN = 0.2  # between clips of one scene without common moments


@dataclasses.dataclass(frozen=True, kw_only=True)
class Join:
    """How one clip follows another.

    Attributes:
      drop: how many frames at the end of the first clip are left out.
      skip: how many frames at the beginning of the second clip are left out.
      overlap: how many frames both takes show; 0 for different scenes.
      gain: the factors for the second clip's R, G, B that match it to the first.
      distance: the mean distance of the overlap's frames, 0 for equal ones; None without an overlap.
    """

    drop: int
    skip: int
    overlap: int
    gain: Float[np.ndarray, " 3"]
    distance: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ends:
    """A clip's first and last 300 frames, reduced to 64 × 36, and the number of all its frames."""

    head: UInt8[np.ndarray, "n h w 3"]
    tail: UInt8[np.ndarray, "m h w 3"]
    count: int


def read_ends(frames: Iterable[RGB]) -> Ends:
    """Reads a clip once and returns its ends."""
    head: list[np.ndarray] = []
    tail: deque[np.ndarray] = deque(maxlen=_LONGEST_OVERLAP)
    count = 0
    for frame in frames:
        small = cv2.resize(frame, _SIZE, interpolation=cv2.INTER_AREA)
        if len(head) < _LONGEST_OVERLAP:
            head.append(small)
        tail.append(small)
        count += 1
    return Ends(head=np.stack(head), tail=np.stack(tail), count=count)


def find_join(first: Ends, second: Ends) -> Join:
    """Finds whether the end of one clip and the beginning of another show the same moments, and where to join them.

    Frames are normalised to mean 0 and norm 1 before they are compared, so the clips may differ in exposure.
    """
    distances = _distances(first.tail, second.head)
    rows, columns = distances.shape
    best: tuple[float, int] | None = None
    for length in range(_SHORTEST_OVERLAP, min(rows, columns) + 1):
        # The last `length` frames of the first clip against the first `length` of the second.
        along = distances[np.arange(rows - length, rows), np.arange(length)]
        if along.mean() < _SAME_MOMENT and (best is None or along.mean() < best[0] - 1e-9):
            best = (float(along.mean()), length)
    if best is None or not _stands_out(distances, best[1]):
        same_scene = distances[-1, 0] < _SAME_SCENE  # a title or another scene keeps its own colours
        gain = _scene_gain(first.tail[-1], second.head[0]) if same_scene else np.ones(3)
        return Join(drop=0, skip=0, overlap=0, gain=gain, distance=None)
    length = best[1]
    along = distances[np.arange(rows - length, rows), np.arange(length)]
    # The frame at which they agree best; of frames that agree equally, the middle one.
    centre = np.abs(np.arange(length) - (length - 1) / 2) / length
    at = int((along + 0.02 * centre).argmin())
    gain = _gain(first.tail[rows - length :], second.head[:length])
    return Join(drop=length - at, skip=at, overlap=length, gain=gain, distance=best[0])


def _distances(first: np.ndarray, second: np.ndarray) -> Float[np.ndarray, "n m"]:
    """The distance of each frame of one to each frame of the other: 0 for equal ones, √2 for unrelated ones."""
    one, other = _normalised(first), _normalised(second)
    return np.sqrt(np.maximum(2 - 2 * one @ other.T, 0))


def _normalised(frames: np.ndarray) -> Float[np.ndarray, "n d"]:
    """Luma of each frame with mean 0 and norm 1."""
    grey = frames.astype(np.float64) @ LUMA
    flat = grey.reshape(len(grey), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def _stands_out(distances: Float[np.ndarray, "n m"], length: int) -> bool:
    """Whether this length fits better than neighbouring ones; takes of a still scene fit equally at all lengths."""
    rows = distances.shape[0]
    here = distances[np.arange(rows - length, rows), np.arange(length)].mean()
    others = []
    for other in (length - 3, length + 3):
        if _SHORTEST_OVERLAP <= other <= min(distances.shape):
            others.append(distances[np.arange(rows - other, rows), np.arange(other)].mean())
    return not others or bool(here < 0.9 * min(others))


def _gain(first: np.ndarray, second: np.ndarray) -> Float[np.ndarray, " 3"]:
    """The median ratio of samples at the same moments; clipped samples do not count."""
    one, other = first.reshape(-1, 3).astype(float), second.reshape(-1, 3).astype(float)
    result = np.ones(3)
    for channel in range(3):
        use = (np.minimum(one, other)[:, channel] > 12) & (np.maximum(one, other)[:, channel] < 243)
        if use.sum() >= 64:
            result[channel] = np.exp(np.median(np.log(one[use, channel] / other[use, channel])))
    return without_tint(result, first, second)


def _scene_gain(last: np.ndarray, first: np.ndarray) -> Float[np.ndarray, " 3"]:
    """Half of the difference between two frames' mean brightness, at most a factor of exp(0.2)."""
    one = np.log(np.maximum(last.reshape(-1, 3).mean(axis=0), 4.0))
    other = np.log(np.maximum(first.reshape(-1, 3).mean(axis=0), 4.0))
    gain = np.exp(np.clip(0.5 * (one - other), -_LARGEST_LOG_GAIN, _LARGEST_LOG_GAIN))
    return without_tint(gain, last, first)


def without_tint(gain: Float[np.ndarray, "3"], *clips: UInt8[np.ndarray, "*n h w 3"]) -> Float[np.ndarray, "3"]:
    """The gain, or its mean for R, G and B alike if one of the clips has no colours.

    Otherwise it would tint that clip, or take colours from the clip that follows it.
    """
    return np.full(3, np.exp(np.log(gain).mean())) if any(map(is_gray, clips)) else gain


def fit_to_size(frame: RGB, size: tuple[int, int], widening: float = 1.0) -> RGB:
    """Scales a frame to fit into (width, height), with black bars where its aspect ratio differs.

    Where only one column or row is missing, as in odd sizes, the last one is repeated and no pixel changes.

    Args:
      frame: the frame.
      size: width and height.
      widening: how many times wider its pixels are than those of the result.
    """
    missing = size[1] - frame.shape[0], size[0] - frame.shape[1]
    if widening == 1 and min(missing) >= 0 and max(missing) <= 1:
        return np.pad(frame, ((0, missing[0]), (0, missing[1]), (0, 0)), "edge") if any(missing) else frame
    height, width = frame.shape[0], frame.shape[1] * widening
    scale = min(size[0] / width, size[1] / height)
    inner = (min(size[0], round(width * scale)), min(size[1], round(height * scale)))
    scaled = cv2.resize(frame, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    result = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    result[top : top + inner[1], left : left + inner[0]] = scaled
    return result


def resample(frames: Iterator[tuple[float, RGB]], rate: float, last: float) -> Iterator[RGB]:
    """Yields the nearest frame for each time at another rate.

    Frames of a slower clip begin at the nearest of these times, so that they are not early by half of their duration.

    Args:
      frames: (seconds, frame), in order.
      rate: frames per second of the result.
      last: how long the last frame is shown, in seconds.
    """
    now = next(frames, None)
    index = 0
    for later in frames:
        while now is not None and index / rate < max((now[0] + later[0]) / 2, later[0] - 0.5 / rate) - 1e-9:
            yield now[1]
            index += 1
        now = later
    while now is not None and index < round((now[0] + last) * rate):
        yield now[1]
        index += 1


def apply_gain(frames: Sequence[RGB] | Iterator[RGB], gain: Float[np.ndarray, " 3"]) -> Iterator[RGB]:
    """Yields the frames with R, G, B multiplied by `gain`."""
    table = np.rint(np.clip(np.arange(256)[None, :, None] * gain, 0, 255)).astype(np.uint8)
    unchanged = np.allclose(gain, 1.0, atol=2e-3)
    for frame in frames:
        yield frame if unchanged else cv2.LUT(frame, table)
