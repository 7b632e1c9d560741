"""Where one clip goes on from another: overlapping takes found, colours matched, gaps bridged."""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.stitching.source import RGB
from vdiff_jax.stream.dis import MEDIUM, make_dis

SIZE = (64, 36)  # width and height of the pictures by which frames are compared
_LONGEST = 300  # frames that an overlap of two takes may last
_SHORTEST = 4
_SAME = 0.15  # mean distance of normalised pictures under which two frames show the same moment
_STRONGEST = 0.2  # log gain up to which different scenes are matched


@dataclasses.dataclass(frozen=True, kw_only=True)
class Join:
    """How clip b follows clip a.

    Attributes:
      drop: frames of a's end that are left out.
      skip: frames of b's beginning that are left out.
      overlap: frames that both takes show, 0 for different ones.
      gain: by which b's R, G, B are multiplied to match a.
      distance: of the overlap's frames, 0 for equal ones; None without an overlap.
    """

    drop: int
    skip: int
    overlap: int
    gain: Float[np.ndarray, " 3"]
    distance: float | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ends:
    """A clip's first and last frames, small, and how many it has."""

    head: UInt8[np.ndarray, "n h w 3"]
    tail: UInt8[np.ndarray, "m h w 3"]
    count: int


def ends(frames: Iterable[RGB]) -> Ends:
    """Reads a clip once and keeps its ends, reduced to 64 × 36."""
    head: list[np.ndarray] = []
    tail: deque[np.ndarray] = deque(maxlen=_LONGEST)
    count = 0
    for frame in frames:
        small = cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA)
        if len(head) < _LONGEST:
            head.append(small)
        tail.append(small)
        count += 1
    return Ends(head=np.stack(head), tail=np.stack(tail), count=count)


def join(first: Ends, second: Ends) -> Join:
    """Finds whether the end of one take and the beginning of another show the same moments, and where they agree best.

    The two may differ in exposure: pictures are compared less their mean and over their spread.
    """
    distances = _distances(first.tail, second.head)
    rows, columns = distances.shape
    best: tuple[float, int] | None = None
    for length in range(_SHORTEST, min(rows, columns) + 1):
        # The last `length` frames of the first take against the first `length` of the second.
        along = distances[np.arange(rows - length, rows), np.arange(length)]
        if along.mean() < _SAME and (best is None or along.mean() < best[0] - 1e-9):
            best = (float(along.mean()), length)
    if best is None or not _stands_out(distances, best[1]):
        return Join(drop=0, skip=0, overlap=0, gain=_scene_gain(first.tail[-1], second.head[0]), distance=None)
    length = best[1]
    along = distances[np.arange(rows - length, rows), np.arange(length)]
    # Where they agree; of places that agree as well, the middle.
    centre = np.abs(np.arange(length) - (length - 1) / 2) / length
    at = int((along + 0.02 * centre).argmin())
    gain = _gain(first.tail[rows - length :], second.head[:length])
    return Join(drop=length - at, skip=at, overlap=length, gain=gain, distance=best[0])


def _distances(first: np.ndarray, second: np.ndarray) -> Float[np.ndarray, "n m"]:
    """The distance of every frame of one to every frame of the other, normalised: 0 equal, √2 unrelated."""
    one, other = _normalised(first), _normalised(second)
    return np.sqrt(np.maximum(2 - 2 * one @ other.T, 0))


def _normalised(frames: np.ndarray) -> Float[np.ndarray, "n d"]:
    grey = frames.astype(np.float64) @ np.array([0.299, 0.587, 0.114])
    flat = grey.reshape(len(grey), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def _stands_out(distances: Float[np.ndarray, "n m"], length: int) -> bool:
    """Whether this alignment beats its neighbours: two takes of a still scene overlap nowhere in particular."""
    rows = distances.shape[0]
    here = distances[np.arange(rows - length, rows), np.arange(length)].mean()
    others = []
    for other in (length - 3, length + 3):
        if _SHORTEST <= other <= min(distances.shape):
            others.append(distances[np.arange(rows - other, rows), np.arange(other)].mean())
    return not others or bool(here < 0.9 * min(others))


def _gain(first: np.ndarray, second: np.ndarray) -> Float[np.ndarray, " 3"]:
    """The median ratio of the same moments' samples, clipped ones apart."""
    one, other = first.reshape(-1, 3).astype(float), second.reshape(-1, 3).astype(float)
    result = np.ones(3)
    for channel in range(3):
        use = (np.minimum(one, other)[:, channel] > 12) & (np.maximum(one, other)[:, channel] < 243)
        if use.sum() >= 64:
            result[channel] = np.exp(np.median(np.log(one[use, channel] / other[use, channel])))
    return result


def _scene_gain(last: np.ndarray, first: np.ndarray) -> Float[np.ndarray, " 3"]:
    """A careful match of two scenes: half of the difference of their mean levels, up to 20 %."""
    one = np.log(np.maximum(last.reshape(-1, 3).mean(axis=0), 4.0))
    other = np.log(np.maximum(first.reshape(-1, 3).mean(axis=0), 4.0))
    return np.exp(np.clip(0.5 * (one - other), -_STRONGEST, _STRONGEST))


def bridge(first: RGB, second: RGB, count: int) -> list[RGB]:
    """`count` frames between two: each is moved along the optical flow towards the other while one fades into it.

    Where the flow back and forth disagrees nothing is moved, so that unlike scenes dissolve plainly.

    Source: Kroeger et al., Fast Optical Flow using Dense Inverse Search, 2016, by OpenCV.
    """
    flow = make_dis(MEDIUM)
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    there, back = flow.calc(greys[0], greys[1], None), flow.calc(greys[1], greys[0], None)
    there, back = _trusted(there, back), _trusted(back, there)
    rows, columns = np.indices(greys[0].shape, np.float32)
    result = []
    for index in range(1, count + 1):
        share = index / (count + 1)
        parts = []
        for frame, motion, part in ((first, there, share), (second, back, 1 - share)):
            across, down = columns - part * motion[..., 0], rows - part * motion[..., 1]
            parts.append(cv2.remap(frame, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
        result.append(cv2.addWeighted(parts[0], 1 - share, parts[1], share, 0))
    return result


def _trusted(motion: np.ndarray, back: np.ndarray) -> Float[np.ndarray, "h w 2"]:
    rows, columns = np.indices(motion.shape[:2], np.float32)
    returned = cv2.remap(back, columns + motion[..., 0], rows + motion[..., 1], cv2.INTER_LINEAR)
    good = (np.linalg.norm(motion + returned, axis=-1) < 2.0).astype(np.float32)
    return motion * cv2.GaussianBlur(good, (0, 0), 3)[..., None]


def fitted(frame: RGB, size: tuple[int, int]) -> RGB:
    """A frame at (width, height): scaled to fit, black beside or above where its shape differs."""
    height, width = frame.shape[:2]
    if (width, height) == size:
        return frame
    scale = min(size[0] / width, size[1] / height)
    inner = (min(size[0], round(width * scale)), min(size[1], round(height * scale)))
    scaled = cv2.resize(frame, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    result = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    result[top : top + inner[1], left : left + inner[0]] = scaled
    return result


def at_rate(frames: Iterator[tuple[float, RGB]], rate: float, last: float) -> Iterator[RGB]:
    """Frames at another rate: each moment shows the nearest one; `last` is how long the last frame lasts, seconds."""
    now = next(frames, None)
    index = 0
    for later in frames:
        while now is not None and index / rate < (now[0] + later[0]) / 2 - 1e-9:
            yield now[1]
            index += 1
        now = later
    while now is not None and index < round((now[0] + last) * rate):
        yield now[1]
        index += 1


def matched(frames: Sequence[RGB] | Iterator[RGB], gain: Float[np.ndarray, " 3"]) -> Iterator[RGB]:
    """Frames with their channels multiplied."""
    table = np.rint(np.clip(np.arange(256)[None, :, None] * gain, 0, 255)).astype(np.uint8)
    plain = np.allclose(gain, 1.0, atol=2e-3)
    for frame in frames:
        yield frame if plain else cv2.LUT(frame, table)
