"""Cuts a stream of analysed frames into chunks of one size, each within a shot, and adds the velocity field."""

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import Frame
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.velocity import velocity

MOST_FRAMES = 4
_MOST_PIXELS = 16_000_000
"""A chunk has at most this many frames and pixels."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chunk:
    """At most n frames of one shot as arrays of n frames, plus the next frame with content as look-ahead.

    Attributes:
      analysed: the frames themselves, at most n.
      planes: the planes of n + 1 frames. The last one is the look-ahead; missing frames repeat the last frame.
      valid: n + 1 flags, 1 for a frame that has content.
      quantisers: of n + 1 frames, NaN where the stream does not carry them.
      error: the expected errors of n + 1 frames, in [0, 1]; `None` for a video without masks.
      velocity: of n frames; see `Observation`.
      time: of n + 1 frames, in frame intervals.
      starts_shot: whether the first frame is the first of its shot.
    """

    analysed: list[AnalysedFrame]
    planes: tuple[np.ndarray, ...]
    valid: Float[np.ndarray, " n1"]
    quantisers: Float[np.ndarray, " n1"]
    error: Float[np.ndarray, "n1 h w"] | None
    velocity: Float[np.ndarray, "n hv wv 4"]
    time: Float[np.ndarray, " n1"]
    starts_shot: bool

    @property
    def frames(self) -> list[Frame | None]:
        """The frames; `None` for a frame that is not part of the output."""
        return [item.frame if item.shown else None for item in self.analysed]

    @property
    def shown(self) -> list[Frame]:
        """The frames that are part of the output."""
        return [item.frame for item in self.analysed if item.shown]


def chunk_frames(pixels: int) -> int:
    """How many frames of so many pixels a chunk has at most."""
    return int(np.clip(_MOST_PIXELS // pixels, 1, MOST_FRAMES))


def cut_into_chunks(frames: Iterable[AnalysedFrame], size: int, *, done: int = 0) -> Iterator[Chunk]:
    """Chunks of at most `size` frames; none crosses a cut. The first `done` chunks are left out."""
    waiting: list[AnalysedFrame] = []
    before: AnalysedFrame | None = None
    starts_shot, number = True, 0
    for item in frames:
        if waiting and (item.starts_shot or len(waiting) == size):
            if number >= done:
                yield _chunk(waiting, before, None if item.starts_shot else item, size, starts_shot)
            number += 1
            starts_shot = item.starts_shot
            before = None if starts_shot else next((i for i in reversed(waiting) if i.has_content), before)
            waiting = []
        waiting.append(item)
    if waiting and number >= done:
        yield _chunk(waiting, before, None, size, starts_shot)


def _chunk(
    items: list[AnalysedFrame],
    before: AnalysedFrame | None,
    after: AnalysedFrame | None,
    size: int,
    starts_shot: bool,
) -> Chunk:
    missing = size - len(items)
    after = after and (after.following or after)
    padded = [*items, *[items[-1]] * missing, after or items[-1]]
    field = velocity(
        [i.flow_frame for i in items], before=before and before.flow_frame, after=after and after.flow_frame
    )
    valid = [*(float(i.has_content) for i in items), *[0.0] * missing, float(after is not None)]
    return Chunk(
        analysed=items,
        planes=tuple(np.stack(planes) for planes in zip(*(item.frame.planes for item in padded))),
        valid=np.array(valid, np.float32),
        quantisers=np.array([item.frame.quantiser for item in padded], np.float32),
        error=None if items[0].mask is None else np.stack([item.expected_error for item in padded]),
        velocity=np.concatenate([field, np.zeros((missing, *field.shape[1:]), np.float32)]),
        time=np.array([item.flow_frame.time for item in padded], np.float32),
        starts_shot=starts_shot,
    )
