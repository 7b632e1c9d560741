"""Clean training clips: photographs in synthetic motion, and crops of videos."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

SHARPENED = 0.3
"""The share of the photographs in focus that are sharpened by an unsharp mask, as cameras do."""

Picture = UInt8[np.ndarray, "h w 3"]


def clip_of_photo(
    rng: np.random.Generator, photo: Picture, other: Picture, *, frames: int, patch: int, soft: float
) -> UInt8[np.ndarray, "t p p 3"]:
    """A moving camera's view of a photograph, half the time with a piece of another photograph moving across it.

    Args:
      rng: the source of randomness.
      photo: the photograph.
      other: the photograph of the moving object.
      frames: the length of the clip.
      patch: its height and width, pixels.
      soft: the share of photographs that are blurred, 0 to 1: most video is softer than a reduced photograph.
    """
    background = _camera_view(rng, photo, frames, patch, soft)
    if rng.random() < 0.5:
        return background
    subject = _camera_view(rng, other, frames, patch, soft)
    return np.stack([_composite(a, b, m) for a, b, m in zip(background, subject, _silhouette(rng, frames, patch))])


def clip_of_video(
    rng: np.random.Generator, video: UInt8[np.ndarray, "n h w 3"], *, frames: int, patch: int
) -> UInt8[np.ndarray, "t p p 3"]:
    """A crop of a video: at 1, 2 or 3 times its speed, forward or backward, half of them reduced, some panning."""
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
    y = _offsets(rng, drift[0], frames, height - reach)
    x = _offsets(rng, drift[1], frames, width - reach)
    crops = [video[i, b : b + reach, a : a + reach] for i, b, a in zip(index, y, x)]
    return np.stack([_resized(crop, patch) for crop in crops])


def flipped(rng: np.random.Generator, clip: UInt8[np.ndarray, "t p p 3"]) -> UInt8[np.ndarray, "t p p 3"]:
    """The clip, mirrored and transposed at random."""
    if rng.random() < 0.5:
        clip = clip[:, :, ::-1]
    if rng.random() < 0.2:
        clip = clip[:, ::-1]
    if rng.random() < 0.2:
        clip = clip.swapaxes(1, 2)
    return np.ascontiguousarray(clip)


def _camera_path(rng: np.random.Generator, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A camera's offset in pixels, angle in radians and zoom in each frame: smooth, with a little shake.

    Three cameras in ten stand still, because only what does not move can be averaged over many frames.
    """
    t = np.arange(frames) - (frames - 1) / 2
    if rng.random() < 0.3:
        return np.zeros((frames, 2)), rng.normal(0, 0.1) + 0 * t, np.ones(frames)
    speed = rng.exponential(4.0) * (rng.random() < 0.85)
    direction = rng.uniform(0, 2 * np.pi)
    offset = t[:, None] * speed * np.array([np.cos(direction), np.sin(direction)])
    offset = offset + np.cumsum(rng.normal(0, rng.choice([0, 0.15, 0.6]), (frames, 2)), axis=0)
    angle = rng.normal(0, 0.1) + t * rng.normal(0, 0.006)
    zoom = np.exp(t * rng.normal(0, 0.006))
    return offset, angle, zoom


def _camera_view(
    rng: np.random.Generator, photo: Picture, frames: int, patch: int, soft: float
) -> UInt8[np.ndarray, "t p p 3"]:
    """A moving camera's view of a photograph that was made smaller."""
    offset, angle, zoom = _camera_path(rng, frames)
    scale = rng.uniform(0.3, 0.6)
    margin = int(np.abs(offset).max() + 0.35 * patch) + 4
    side = patch + 2 * margin
    scale = max(scale, side / min(photo.shape[:2])) if side < min(photo.shape[:2]) else 1.0
    reach = min(int(np.ceil(side / scale)), *photo.shape[:2])
    y, x = _corner(rng, photo, reach)
    small = cv2.resize(photo[y : y + reach, x : x + reach], (side, side), interpolation=cv2.INTER_AREA)
    if rng.random() < soft:
        small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.5, 3.0))
    elif rng.random() < SHARPENED:
        blurred = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.7, 1.5))
        amount = rng.uniform(0.3, 1.2)
        small = cv2.addWeighted(small, 1 + amount, blurred, -amount, 0)
    centre = (patch - 1) / 2
    views, last = [], None
    for shift, turn, size in zip(offset, angle, zoom):
        c, s = np.cos(turn) * size, np.sin(turn) * size
        middle = centre + margin + shift
        matrix = np.array([[c, -s, middle[0] - centre * (c - s)], [s, c, middle[1] - centre * (s + c)]])
        if last is not None and np.array_equal(matrix, last):
            views.append(views[-1])
            continue
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        views.append(cv2.warpAffine(small, matrix, (patch, patch), flags=flags, borderMode=cv2.BORDER_REFLECT_101))
        last = matrix
    return np.stack(views)


def _corner(rng: np.random.Generator, photo: Picture, reach: int) -> tuple[int, int]:
    """The top left corner of a random square of the photograph; half the time the more textured one of two squares."""
    corners = [tuple(int(rng.integers(0, n - reach + 1)) for n in photo.shape[:2]) for _ in range(2)]
    coarse = [photo[y : y + reach : 4, x : x + reach : 4, 1].astype(np.int16) for y, x in corners]
    texture = [np.abs(np.diff(c, axis=0)).mean() + np.abs(np.diff(c, axis=1)).mean() for c in coarse]
    return corners[int(np.argmax(texture)) if rng.random() < 0.5 else 0]


def _silhouette(rng: np.random.Generator, frames: int, patch: int) -> Float[np.ndarray, "t p p 1"]:
    """The mask of a moving object with soft edges: the union of four ellipses."""
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


def _composite(below: Picture, above: Picture, mask: Float[np.ndarray, "h w 1"]) -> Picture:
    """`above` where the mask is 1, `below` where it is 0."""
    return (below + mask * (above.astype(np.float32) - below) + 0.5).astype(np.uint8)


def _offsets(rng: np.random.Generator, drift: float, frames: int, room: int) -> list[int]:
    """Where the crop of each frame begins along one axis: 0 to `room`, moving by `drift` pixels a frame."""
    start = rng.uniform(0, max(room, 0))
    return [int(np.clip(round(start + drift * t), 0, max(room, 0))) for t in range(frames)]


def _resized(crop: Picture, patch: int) -> UInt8[np.ndarray, "p p 3"]:
    if crop.shape[0] == patch:
        return crop
    return cv2.resize(crop, (patch, patch), interpolation=cv2.INTER_AREA)
