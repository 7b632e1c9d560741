"""Cuts a stream of frames into shots, and shots into chunks of one size, with the motion between their frames."""

import dataclasses
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.biharmonic import fill_frame
from vdiff_jax.stream.flow import Seen, see
from vdiff_jax.stream.samples import luma_of
from vdiff_jax.stream.shots import ShotDetector, thumbnail
from vdiff_jax.stream.velocity import velocity


@dataclasses.dataclass(frozen=True, kw_only=True)
class Prepared:
    """A frame with what was measured on it.

    Attributes:
      frame: the frame; for one that holds nothing the planes of a neighbour stand in.
      mask: True where it is to be repaired; `None` without a mask.
      seen: what motion is measured on.
      error: to expect of what stands where the mask is, in levels, infinite for what means nothing; 0 elsewhere.
      starts_shot: it is the first of its shot.
      shown: it is asked for; otherwise the others are to learn from it.
      following: for a frame that holds nothing, the next one that does; `None` for all others.
      colours: what a reference says of its Cb and Cr, and 1 where it does; `None` where no task asks for them.
    """

    frame: Frame
    mask: Bool[np.ndarray, "h w"] | None
    seen: Seen
    starts_shot: bool
    error: Float[np.ndarray, "h w"] | None = None
    shown: bool = True
    following: "Prepared | None" = None
    colours: Float[np.ndarray, "h w 3"] | None = None

    @property
    def holds(self) -> bool:
        """Something of the frame is known."""
        return self.following is None

    @property
    def expected(self) -> Float[np.ndarray, "h w"]:
        """The error, infinite under the mask as long as nothing else was said."""
        return np.where(self.mask, np.float32(np.inf), np.float32(0)) if self.error is None else self.error

    @property
    def coloured(self) -> bool:
        """It has a reference."""
        return self.colours is not None and bool(self.colours[..., 2].any())


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chunk:
    """Up to n frames of one shot, as arrays of exactly n, and the next frame after them that holds something.

    Attributes:
      prepared: the frames themselves, at most n.
      planes: n + 1 frames' planes; what follows the chunk is the last, what is missing repeats the one before.
      valid: n + 1 flags, 1 for a frame that holds something.
      quantisers: of n + 1 frames, NaN where the stream doesn't tell.
      error: of n + 1 frames, as theirs; `None` without a mask.
      velocity: of the n frames.
      time: n + 1 times, in frame intervals.
      starts_shot: the first frame is the first of its shot.
    """

    prepared: list[Prepared]
    planes: tuple[np.ndarray, ...]
    valid: Float[np.ndarray, " n1"]
    quantisers: Float[np.ndarray, " n1"]
    error: Float[np.ndarray, "n1 h w"] | None
    velocity: Float[np.ndarray, "n hv wv 4"]
    time: Float[np.ndarray, " n1"]
    starts_shot: bool

    @property
    def frames(self) -> list[Frame | None]:
        """The frames, `None` for one that is not shown."""
        return [item.frame if item.shown else None for item in self.prepared]

    @property
    def shown(self) -> list[Frame]:
        """The frames that are shown."""
        return [item.frame for item in self.prepared if item.shown]


def prepare(
    frames: Iterable[Frame],
    masks: Iterable[Bool[np.ndarray, "h w"] | None],
    pixels: PixelFormat,
    multiple: int,
    *,
    scale: int = 1,
) -> Iterator[Prepared]:
    """Measures each frame, enlarged by `scale`; one frame behind, as the detector of shots is."""
    detector = ShotDetector()
    waiting: dict | None = None
    for index, (frame, mask) in enumerate(zip(frames, masks)):
        if mask is not None and not mask.all():
            frame = fill_frame(frame, mask, pixels)
        luma = luma_of(frame, pixels)
        verdict = detector.push(thumbnail(luma))
        if waiting is not None:
            yield Prepared(**waiting, starts_shot=bool(verdict))
        known = None if mask is None else _padded((~mask).astype(np.float32), multiple)
        seen = see(_padded(_enlarged(luma, scale), multiple), known, time=float(index), filled=True)
        waiting = {"frame": frame, "mask": mask, "seen": seen}
    if waiting is not None:
        yield Prepared(**waiting, starts_shot=bool(detector.finish()))


def chunks(prepared: Iterable[Prepared], size: int) -> Iterator[Chunk]:
    """Chunks of at most `size` frames; none reaches over a cut."""
    waiting: list[Prepared] = []
    before: Prepared | None = None
    begins = True
    for item in prepared:
        if waiting and (item.starts_shot or len(waiting) == size):
            yield _chunk(waiting, before, None if item.starts_shot else item, size, begins)
            begins = item.starts_shot
            before = None if begins else next((i for i in reversed(waiting) if i.holds), before)
            waiting = []
        waiting.append(item)
    if waiting:
        yield _chunk(waiting, before, None, size, begins)


def _chunk(
    items: list[Prepared], before: Prepared | None, after: Prepared | None, size: int, starts_shot: bool
) -> Chunk:
    missing = size - len(items)
    after = after and (after.following or after)
    line = [*items, *[items[-1]] * missing, after or items[-1]]
    field = velocity([i.seen for i in items], before=before and before.seen, after=after and after.seen)
    return Chunk(
        prepared=items,
        planes=tuple(np.stack(planes) for planes in zip(*(item.frame.planes for item in line))),
        valid=np.array([*(float(i.holds) for i in items), *[0.0] * missing, float(after is not None)], np.float32),
        quantisers=np.array([item.frame.quantiser for item in line], np.float32),
        error=None if items[0].mask is None else np.stack([item.expected for item in line]),
        velocity=np.concatenate([field, np.zeros((missing, *field.shape[1:]), np.float32)]),
        time=np.array([item.seen.time for item in line], np.float32),
        starts_shot=starts_shot,
    )


def _enlarged(plane: Float[np.ndarray, "h w"], scale: int) -> Float[np.ndarray, "h2 w2"]:
    return plane if scale == 1 else cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)


def _padded(plane: Float[np.ndarray, "h w"], multiple: int) -> Float[np.ndarray, "h2 w2"]:
    height, width = plane.shape
    return cv2.copyMakeBorder(plane, 0, -height % multiple, 0, -width % multiple, cv2.BORDER_REPLICATE)
