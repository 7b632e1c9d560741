"""Cuts a stream of frames into shots, and shots into chunks of one size, with the motion between their frames."""

import dataclasses
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.motion import Seen, see, velocity
from vdiff_jax.preprocess.shots import ShotDetector, thumbnail


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A frame with what was measured on it: its mask (True: repair), and what motion is measured on."""

    frame: Frame
    mask: Bool[np.ndarray, "h w"] | None
    seen: Seen
    starts_shot: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chunk:
    """Up to n frames of one shot, as arrays of exactly n, and the frame after them.

    Attributes:
      frames: the frames themselves, at most n.
      planes: n + 1 frames' planes; what follows the chunk is the last, what is missing repeats the one before.
      valid: n + 1 flags, 1 for a frame that is there.
      quantisers: of n + 1 frames, NaN where the stream doesn't tell.
      mask: n + 1 masks, 1 where nothing is known; `None` without a mask.
      velocity: of the n frames.
      starts_shot: the first frame is the first of its shot.
    """

    frames: list[Frame]
    planes: tuple[np.ndarray, ...]
    valid: Float[np.ndarray, " n1"]
    quantisers: Float[np.ndarray, " n1"]
    mask: Bool[np.ndarray, "n1 h w"] | None
    velocity: Float[np.ndarray, "n hv wv 4"]
    starts_shot: bool


def prepare(
    frames: Iterable[Frame], masks: Iterable[Bool[np.ndarray, "h w"] | None], pixels: PixelFormat, multiple: int
) -> Iterator[Prepared]:
    """Measures each frame; one frame behind, as the detector of shots is."""
    detector = ShotDetector()
    waiting: tuple | None = None
    for frame, mask in zip(frames, masks):
        luma = _luma(frame, pixels)
        verdict = detector.push(thumbnail(luma))
        if waiting is not None:
            yield Prepared(*waiting, bool(verdict))
        known = None if mask is None else _padded((~mask).astype(np.float32), multiple)
        waiting = (frame, mask, see(_padded(luma, multiple), known))
    if waiting is not None:
        yield Prepared(*waiting, bool(detector.finish()))


def chunks(prepared: Iterable[Prepared], size: int) -> Iterator[Chunk]:
    """Chunks of at most `size` frames; none reaches over a cut."""
    waiting: list[Prepared] = []
    before: Prepared | None = None
    for item in prepared:
        if waiting and (item.starts_shot or len(waiting) == size):
            yield _chunk(waiting, before, None if item.starts_shot else item, size)
            before = None if item.starts_shot else waiting[-1]
            waiting = []
        waiting.append(item)
    if waiting:
        yield _chunk(waiting, before, None, size)


def _chunk(items: list[Prepared], before: Prepared | None, following: Prepared | None, size: int) -> Chunk:
    missing = size - len(items)
    line = [*items, *[items[-1]] * missing, following or items[-1]]
    field = velocity([i.seen for i in items], before and before.seen, following and following.seen)
    return Chunk(
        frames=[item.frame for item in items],
        planes=tuple(np.stack(planes) for planes in zip(*(item.frame.planes for item in line))),
        valid=np.array([1.0] * len(items) + [0.0] * missing + [float(following is not None)], np.float32),
        quantisers=np.array([item.frame.quantiser for item in line], np.float32),
        mask=None if items[0].mask is None else np.stack([item.mask for item in line]),
        velocity=np.concatenate([field, np.zeros((missing, *field.shape[1:]), np.float32)]),
        starts_shot=before is None,
    )


def _luma(frame: Frame, pixels: PixelFormat) -> Float[np.ndarray, "h w"]:
    """Luma, or green, in about [0, 1]: motion and cuts need no more."""
    plane = frame.planes[1 if pixels.kind == "rgb" else 0]
    if np.issubdtype(plane.dtype, np.floating):
        return np.asarray(plane, np.float32)
    return plane.astype(np.float32) / np.float32(pixels.peak)


def _padded(plane: Float[np.ndarray, "h w"], multiple: int) -> Float[np.ndarray, "h2 w2"]:
    height, width = plane.shape
    return cv2.copyMakeBorder(plane, 0, -height % multiple, 0, -width % multiple, cv2.BORDER_REPLICATE)
