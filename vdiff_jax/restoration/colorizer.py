"""Colours from the references before and after a frame, blended by trust and by distance in time, then spread.

The motion is followed forward. What lies between a cut or a reference and the next reference is held back until that
one comes, and is then followed once more, backward from it. A cut ends what a reference serves.
"""

import bisect
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np

from vdiff_jax.diffusion.conduction import conduct
from vdiff_jax.errors import ReferencePictureError
from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.pixels import Frame
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.chunks import Chunk, cut_into_chunks
from vdiff_jax.stream.colour_tracking import ColourTracker, TrackedColours, best_next_reference
from vdiff_jax.stream.samples import luma_of
from vdiff_jax.tasks.colorize import Colouring, coloured_planes

_HELD_BYTES = 1 << 30
"""Memory for frames that wait for a reference; it reaches no further back than that."""
_CHUNK = 8
_LEAST = 0.01
"""The trust in a witness that nothing speaks for, while there is one: a guess beside no colour at all."""


@dataclasses.dataclass(frozen=True)
class Coloured:
    """A frame as it was read, and what the references tell of its colours."""

    item: AnalysedFrame
    carried: TrackedColours


class Colorizer:
    """Colours a video from references, in both directions of time where a reference lies ahead.

    Args:
      job: how colorize takes the video.
      references: the numbers of the frames that have one.
      force: lets references contradict each other.
    """

    frames, multiple = _CHUNK, 2 * VELOCITY_GRID
    """Of a chunk; and what frames are padded to."""

    def __init__(self, job: Colouring, references: Iterable[int], *, force: bool = False):
        self._job, self._references, self._force = job, sorted(references), force
        self._planes = jax.jit(coloured_planes, static_argnums=0)
        self._trail = ColourTracker()
        self._held: list[Coloured] = []
        self._read = 0  # frames followed forward
        self._since: int | None = None  # the shot's last reference
        self._trust: list[float] = []
        self._starts: list[int] = []

    def restore(self, chunks: Iterable[Chunk]) -> Iterator[Frame]:
        """The coloured frames, in order; the chunks come in order too."""
        for chunk in chunks:
            yield from self._coloured(chunk)
        yield from self._release(0)

    def _coloured(self, chunk: Chunk) -> list[Frame]:
        """The frames that are finished once this chunk is known."""
        done: list[Frame] = []
        if chunk.starts_shot:
            done += self._release(0)
            self._since = None
            self._starts.append(self._read)
        results = map(Coloured, chunk.analysed, self._trail(chunk))
        for one, contradicted in zip(results, self._trail.contradicted):
            if one.item.has_reference:
                if contradicted and not self._force:
                    raise ReferencePictureError(
                        f"the reference for frame {self._read} contradicts the one for frame {self._since}: "
                        "they colour the same things differently; correct one, or pass --force"
                    )
                done += self._join(one)
                self._since = self._read
            self._held.append(one)
            self._read += 1
            done += self._release(self._worth_holding(one))
        return done

    def report(self) -> dict[str, Any]:
        """Each frame's mean trust, and the frame whose colours would help most."""
        if not self._trust:
            return {}
        confidence = [round(value, 3) for value in self._trust]
        return {"confidence": confidence, "next_reference": best_next_reference(self._trust, self._starts)}

    def _worth_holding(self, last: Coloured) -> int:
        """How many of the latest frames a reference ahead can still serve."""
        if last.item.has_reference:
            return 0
        index = bisect.bisect_left(self._references, self._read)
        if index == len(self._references):
            return 0
        limit = _HELD_BYTES // (last.carried.nbytes + sum(plane.nbytes for plane in last.item.frame.planes))
        return max(0, limit - (self._references[index] - self._read))

    def _release(self, count: int) -> list[Frame]:
        """All but the latest `count` of the frames held, as they are."""
        ripe = max(0, len(self._held) - count)
        ready, self._held = self._held[:ripe], self._held[ripe:]
        return list(map(self._finished, ready))

    def _join(self, reference: Coloured) -> list[Frame]:
        """The frames held, blended with what the reference after them says."""
        held, self._held = self._held, []
        if not held:
            return []
        backward = self._backward([*(one.item for one in held), reference.item])
        joined = []
        for distance, (one, other) in enumerate(zip(reversed(held), backward), start=1):
            number = self._read - distance
            since = np.inf if self._since is None else number - self._since
            joined.append(Coloured(one.item, _blend(one.carried, other, since, distance)))
        return [self._finished(one) for one in reversed(joined)]

    def _finished(self, one: Coloured) -> Frame:
        """The frame with what it was told spread over all of it."""
        frame, carried = one.item.frame, one.carried
        self._trust.append(float(carried.trust.mean()))
        luma = luma_of(frame, self._job.pixels)
        trust = np.maximum(carried.trust, _LEAST) if carried.trust.any() else carried.trust
        chroma = np.asarray(conduct(carried.chroma, trust, luma))
        chroma = np.where(carried.trust[..., None] < 1, chroma, carried.chroma)
        planes = self._planes(self._job, frame.planes, chroma)
        return dataclasses.replace(frame, planes=tuple(map(np.asarray, planes)))

    def _backward(self, items: list[AnalysedFrame]) -> Iterator[TrackedColours]:
        """What the frames from the last but one to the first are told from the last."""
        trail = ColourTracker()
        line = [
            dataclasses.replace(
                item, starts_shot=n == 0, flow_frame=dataclasses.replace(item.flow_frame, time=-item.flow_frame.time)
            )
            for n, item in enumerate(reversed(items))
        ]
        for number, chunk in enumerate(cut_into_chunks(line, _CHUNK)):
            yield from trail(chunk)[1 if number == 0 else 0 :]


def _blend(forward: TrackedColours, backward: TrackedColours, since: float | int, until: int) -> TrackedColours:
    """Both directions, each weighted by its trust over its distance in time."""
    a, b = (forward.trust + 1e-3) / max(since, 1e-3), (backward.trust + 1e-3) / until
    share = (a / (a + b))[..., None]
    chroma = backward.chroma + share * (forward.chroma - backward.chroma)
    return TrackedColours(chroma, np.maximum(forward.trust, backward.trust))
