"""Colours a grey video from reference pictures.

Colours follow the optical flow forward from each reference. Frames before the next reference are held back until it
comes, and take its colours too, along the flow backward. Both are blended by confidence and distance in time. Then the
colours diffuse into areas the flow did not reach. No colour crosses a cut.
"""

import bisect
import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import jax
import numpy as np

from vdiff_jax.diffusion.conduction import conduct
from vdiff_jax.errors import ReferencePictureError
from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.pixels import Frame
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.chunks import Chunk, cut_into_chunks
from vdiff_jax.stream.colour_tracking import ColourTracker, TrackedColours, best_next_reference
from vdiff_jax.stream.samples import luma_of
from vdiff_jax.tasks.colorize import Colouring, coloured_planes

HELD_BYTES = 1 << 30
"""Memory for frames that wait for the next reference. When it is full, the earliest are coloured without that one."""
_LEAST = 0.01
"""The least confidence of a tracked colour: even a doubtful one is better than grey."""


@dataclasses.dataclass(frozen=True)
class TrackedFrame:
    """A frame, and the colours that were tracked to it from a reference."""

    frame: AnalysedFrame
    colours: TrackedColours


class Colorizer:
    """Colours a video from references, in both directions of time where a reference lies ahead.

    Args:
      conversion: the video's pixel format and size.
      references: the numbers of the frames that have a reference.
      force: accepts references that contradict each other.
      frames: of a chunk.
    """

    multiple = 2 * VELOCITY_GRID
    """Height and width are padded to multiples of this."""
    ahead = 2
    """Chunks by which the analysis may be ahead."""

    def __init__(self, conversion: Colouring, references: Iterable[int], *, force: bool = False, frames: int = 8):
        self.frames = frames
        self._conversion, self._references, self._force = conversion, sorted(references), force
        self._planes = jax.jit(coloured_planes, static_argnums=0)
        self._tracker = ColourTracker()
        self._held: list[TrackedFrame] = []
        self._count = 0  # frames tracked forward
        self._done = 0  # frames that an earlier run has coloured
        self._last_reference: int | None = None  # of the shot
        self._confidence: list[float] = []
        self._shot_starts: list[int] = []

    def restore(self, chunks: Iterable[Chunk], checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[Frame]:
        """The coloured frames, in order; the chunks come in order too.

        Args:
          chunks: all of the video: colours are tracked through the frames that are done, too.
          checkpoints: those of an earlier run, if any. The frames that it has written are not yielded again.
        """
        self._done = checkpoints.begun.frames
        count = self._done
        for chunk in chunks:
            coloured = self._coloured(chunk)
            count += len(coloured)
            if coloured:
                checkpoints.propose(count, 0)
            yield from coloured
        yield from self._release(0)

    def _coloured(self, chunk: Chunk) -> list[Frame]:
        """The frames that are finished after this chunk, held ones included."""
        done: list[Frame] = []
        if chunk.starts_shot:
            done += self._release(0)
            self._last_reference = None
            self._shot_starts.append(self._count)
        tracked = map(TrackedFrame, chunk.analysed, self._tracker(chunk))
        for one, contradicted in zip(tracked, self._tracker.contradicted):
            if one.frame.has_reference:
                if contradicted and not self._force:
                    raise ReferencePictureError(
                        f"the reference for frame {self._count} contradicts the one for frame {self._last_reference}: "
                        "they colour the same things differently; correct one, or pass --force"
                    )
                done += self._join(one)
                self._last_reference = self._count
            self._held.append(one)
            self._count += 1
            done += self._release(self._frames_to_hold(one))
        return done

    def report(self) -> dict[str, Any]:
        """Each frame's mean confidence, and the number of the frame for which another reference would help most."""
        if not self._confidence:
            return {}
        confidence = [round(value, 3) for value in self._confidence]
        return {"confidence": confidence, "next_reference": best_next_reference(self._confidence, self._shot_starts)}

    def _frames_to_hold(self, last: TrackedFrame) -> int:
        """How many of the latest frames wait for the next reference."""
        if last.frame.has_reference:
            return 0
        index = bisect.bisect_left(self._references, self._count)
        if index == len(self._references):
            return 0
        limit = HELD_BYTES // (last.colours.nbytes + sum(plane.nbytes for plane in last.frame.frame.planes))
        return max(0, limit - (self._references[index] - self._count))

    def _release(self, count: int) -> list[Frame]:
        """Finishes all held frames but the latest `count`."""
        split = max(0, len(self._held) - count)
        earlier, self._held = self._held[:split], self._held[split:]
        return self._all_finished(earlier)

    def _join(self, reference: TrackedFrame) -> list[Frame]:
        """Finishes the held frames with the colours of the reference after them blended in."""
        held, self._held = self._held, []
        if not held:
            return []
        backward = self._backward([*(one.frame for one in held), reference.frame])
        for distance, other in enumerate(itertools.islice(backward, len(held)), start=1):
            one, number = held[-distance], self._count - distance
            since = np.inf if self._last_reference is None else number - self._last_reference
            held[-distance] = TrackedFrame(one.frame, _blend(one.colours, other, since, distance))
        return self._all_finished(held)

    def _all_finished(self, tracked: list[TrackedFrame]) -> list[Frame]:
        """The frames with their colours, but for those that an earlier run has coloured. The list is emptied."""
        finished: list[Frame] = []
        tracked.reverse()
        while tracked:
            one = tracked.pop()
            self._confidence.append(float(one.colours.confidence.mean()))
            if len(self._confidence) > self._done:
                finished.append(self._finished(one))
        return finished

    def _finished(self, one: TrackedFrame) -> Frame:
        """The frame with its tracked colours, diffused into the areas without any."""
        frame, colours = one.frame.frame, one.colours
        luma = luma_of(frame, self._conversion.pixels)
        confidence = np.maximum(colours.confidence, _LEAST) if colours.confidence.any() else colours.confidence
        chroma = np.asarray(conduct(colours.chroma, confidence, luma))
        chroma = np.where(colours.confidence[..., None] < 1, chroma, colours.chroma)
        planes = self._planes(self._conversion, frame.planes, chroma)
        return dataclasses.replace(frame, planes=tuple(map(np.asarray, planes)))

    def _backward(self, items: list[AnalysedFrame]) -> Iterator[TrackedColours]:
        """The colours of the last frame, tracked backward to the one before it, and so on to the first."""
        tracker = ColourTracker()
        in_reverse = [
            dataclasses.replace(
                item, starts_shot=n == 0, flow_frame=dataclasses.replace(item.flow_frame, time=-item.flow_frame.time)
            )
            for n, item in enumerate(reversed(items))
        ]
        for number, chunk in enumerate(cut_into_chunks(in_reverse, self.frames)):
            yield from tracker(chunk)[1 if number == 0 else 0 :]


def _blend(forward: TrackedColours, backward: TrackedColours, since: float | int, until: int) -> TrackedColours:
    """Blends both directions, each weighted by its confidence over its distance in time."""
    a, b = (forward.confidence + 1e-3) / max(since, 1e-3), (backward.confidence + 1e-3) / until
    weight = (a / (a + b))[..., None]
    chroma = backward.chroma + weight * (forward.chroma - backward.chroma)
    return TrackedColours(chroma, np.maximum(forward.confidence, backward.confidence))
