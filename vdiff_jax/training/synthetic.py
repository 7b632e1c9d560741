"""Clips with camera and object motion, cut from photographs and from decoded video."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

Picture = UInt8[np.ndarray, "h w 3"]


def clip_of_photo(
    rng: np.random.Generator, photo: Picture, other: Picture, *, frames: int, patch: int, soft: float
) -> UInt8[np.ndarray, "t p p 3"]:
    """A photograph seen by a moving camera, half the time with a piece of another one moving across it.

    A share of `soft` is out of focus: most of what a video shows is softer than a reduced photograph.
    """
    camera = _seen(photo, *_path(rng, frames, patch), rng.uniform(0.3, 0.6), patch, soft, rng)
    if rng.random() < 0.5:
        return camera
    subject = _seen(other, *_path(rng, frames, patch), rng.uniform(0.3, 0.6), patch, soft, rng)
    return np.stack([_over(a, b, m) for a, b, m in zip(camera, subject, _outline(rng, frames, patch))])


def clip_of_video(
    rng: np.random.Generator, video: UInt8[np.ndarray, "n h w 3"], *, frames: int, patch: int
) -> UInt8[np.ndarray, "t p p 3"]:
    """A crop of a video, sometimes at a multiple of its speed, sometimes panned over."""
    stride = int(rng.choice([1, 1, 2, 3]))
    stride = min(stride, max(1, (len(video) - 1) // max(1, frames - 1)))
    first = int(rng.integers(0, max(1, len(video) - stride * (frames - 1))))
    index = np.minimum(first + stride * np.arange(frames), len(video) - 1)
    if rng.random() < 0.5:
        index = index[::-1]
    zoom = rng.uniform(0.6, 1.0) if rng.random() < 0.5 else 1.0
    reach = int(np.ceil(patch / zoom))
    height, width = video.shape[1:3]
    if min(height, width) < reach:
        reach = min(height, width)
    drift = rng.uniform(-4, 4, 2) if rng.random() < 0.4 else np.zeros(2)
    y = _track(rng, drift[0], frames, height - reach)
    x = _track(rng, drift[1], frames, width - reach)
    crops = [video[i, b : b + reach, a : a + reach] for i, b, a in zip(index, y, x)]
    return np.stack([_fit(crop, patch) for crop in crops])


def turned(rng: np.random.Generator, clip: UInt8[np.ndarray, "t p p 3"]) -> UInt8[np.ndarray, "t p p 3"]:
    """The clip mirrored and transposed at random."""
    if rng.random() < 0.5:
        clip = clip[:, :, ::-1]
    if rng.random() < 0.2:
        clip = clip[:, ::-1]
    if rng.random() < 0.2:
        clip = clip.swapaxes(1, 2)
    return np.ascontiguousarray(clip)


def _path(rng: np.random.Generator, frames: int, patch: int):
    """A camera's path: offset in pixels, angle in radians and zoom of each frame, smooth with a little shake.

    Three in ten stand on a tripod: only what stays exactly where it was can be averaged over many frames.
    """
    t = np.arange(frames) - (frames - 1) / 2
    if rng.random() < 0.3:
        return np.zeros((frames, 2)), rng.normal(0, 0.1) + 0 * t, np.ones(frames)
    speed = rng.exponential(2.5) * (rng.random() < 0.85)
    direction = rng.uniform(0, 2 * np.pi)
    offset = t[:, None] * speed * np.array([np.cos(direction), np.sin(direction)])
    offset = offset + np.cumsum(rng.normal(0, rng.choice([0, 0.15, 0.6]), (frames, 2)), axis=0)
    angle = rng.normal(0, 0.1) + t * rng.normal(0, 0.006)
    zoom = np.exp(t * rng.normal(0, 0.006))
    return offset, angle, zoom


def _seen(photo: Picture, offset, angle, zoom, scale: float, patch: int, soft: float, rng: np.random.Generator):
    """What a camera on that path sees of the photograph reduced by `scale`."""
    margin = int(np.abs(offset).max() + 0.35 * patch) + 4
    side = patch + 2 * margin
    scale = max(scale, side / min(photo.shape[:2])) if side < min(photo.shape[:2]) else 1.0
    reach = min(int(np.ceil(side / scale)), *photo.shape[:2])
    y, x = _place(rng, photo, reach)
    small = cv2.resize(photo[y : y + reach, x : x + reach], (side, side), interpolation=cv2.INTER_AREA)
    if rng.random() < soft:
        small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.5, 3.0))
    centre = (patch - 1) / 2
    frames, last = [], None
    for shift, turn, size in zip(offset, np.broadcast_to(angle, len(offset)), zoom):
        c, s = np.cos(turn) * size, np.sin(turn) * size
        middle = centre + margin + shift
        matrix = np.array([[c, -s, middle[0] - centre * (c - s)], [s, c, middle[1] - centre * (s + c)]])
        if last is not None and np.array_equal(matrix, last):
            frames.append(frames[-1])
            continue
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        frames.append(cv2.warpAffine(small, matrix, (patch, patch), flags=flags, borderMode=cv2.BORDER_REFLECT_101))
        last = matrix
    return np.stack(frames)


def _place(rng: np.random.Generator, photo: Picture, reach: int) -> tuple[int, int]:
    """A corner of a square of the photograph: of two drawn at random, half the time the one that holds more texture."""
    corners = [tuple(int(rng.integers(0, n - reach + 1)) for n in photo.shape[:2]) for _ in range(2)]
    coarse = [photo[y : y + reach : 4, x : x + reach : 4, 1].astype(np.int16) for y, x in corners]
    texture = [np.abs(np.diff(c, axis=0)).mean() + np.abs(np.diff(c, axis=1)).mean() for c in coarse]
    return corners[int(np.argmax(texture)) if rng.random() < 0.5 else 0]


def _outline(rng: np.random.Generator, frames: int, patch: int) -> Float[np.ndarray, "t p p 1"]:
    """The soft-edged silhouette of a moving object: a few ellipses together."""
    centre = rng.uniform(0, patch, 2)
    drift = rng.normal(0, 3, 2)
    parts = [
        (rng.normal(0, 0.12 * patch, 2), rng.uniform(0.06, 0.25, 2) * patch, rng.uniform(0, 180)) for _ in range(4)
    ]
    masks = []
    for t in range(frames):
        mask = np.zeros((patch, patch), np.uint8)
        for shift, axes, angle in parts:
            place = (centre + shift + drift * (t - frames / 2)) * 16
            size = tuple(int(a * 16) for a in axes)
            place = tuple(int(p) for p in place)
            cv2.ellipse(mask, place, size, angle, 0, 360, 255, -1, cv2.LINE_AA, 4)
        masks.append(mask)
    return np.stack(masks)[..., None].astype(np.float32) / 255


def _over(below: Picture, above: Picture, mask: Float[np.ndarray, "h w 1"]) -> Picture:
    return (below + mask * (above.astype(np.float32) - below) + 0.5).astype(np.uint8)


def _track(rng: np.random.Generator, drift: float, frames: int, room: int) -> list[int]:
    start = rng.uniform(0, max(room, 0))
    return [int(np.clip(round(start + drift * t), 0, max(room, 0))) for t in range(frames)]


def _fit(crop: Picture, patch: int) -> UInt8[np.ndarray, "p p 3"]:
    if crop.shape[0] == patch:
        return crop
    return cv2.resize(crop, (patch, patch), interpolation=cv2.INTER_AREA)
