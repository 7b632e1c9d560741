"""Plays clips one after another, with size, rate and colour matched and takes of the same moment joined."""

import dataclasses
import itertools
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import OptionError, StitchError
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints
from vdiff_jax.stitching import joins
from vdiff_jax.stitching.bridge import flow_bridge
from vdiff_jax.stitching.debug_pictures import DebugPictures
from vdiff_jax.stitching.joins import Ends, Join
from vdiff_jax.stitching.source import LUMA, RGB, Source
from vdiff_jax.stream.context import passed

logger = logging.getLogger(__name__)

Interpolate = Callable[[RGB, RGB, int], Sequence[RGB]]
"""Makes a number of frames between two."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClipPart:
    """What the sequence shows of one clip.

    Attributes:
      source: the clip.
      start: its first frame that is shown, counted at the sequence's rate.
      stop: the frame after the last one that is shown.
      gain: the factors for R, G, B, relative to the first clip.
    """

    source: Source
    start: int
    stop: int
    gain: Float[np.ndarray, " 3"]


class ClipSequence:
    """Clips in sequence, at the first clip's size and rate; `report` is complete after the last frame.

    Attributes:
      size: (width, height), even.
      rate: frames per second.
      joins: how each clip follows the one before.
      parts: what is shown of each clip.
      report: what was found and done.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        bridge: int = 0,
        interpolate: Interpolate = flow_bridge,
        debug: str | os.PathLike | None = None,
    ):
        """Reads all clips once and finds the joins.

        Args:
          sources: the clips.
          bridge: how many frames to insert between clips that do not overlap.
          interpolate: makes these frames.
          debug: a folder for pictures of each join.

        Raises:
          StitchError: there are fewer than two clips.
          OptionError: `bridge` is negative.
        """
        if len(sources) < 2:
            raise StitchError(f"{len(sources)} input{'s' * (len(sources) != 1)}: pass two or more for a sequence")
        if bridge < 0:
            raise OptionError(
                f"bridge {bridge} is out of range: pass 0 for hard cuts, or the number of frames to insert at each join"
            )
        begun = time.perf_counter()
        self._sources, self._bridge, self._interpolate = sources, bridge, interpolate
        self._debug = None if debug is None else DebugPictures(debug)
        self.size = (sources[0].size[0] + sources[0].size[0] % 2, sources[0].size[1] + sources[0].size[1] % 2)
        self.rate = sources[0].rate
        self._leads: dict[Source, float] = {}  # seconds from the beginning of each clip's file to its first frame
        self._read: dict[Source, int] = {}  # a clip's frames so far
        self._left_out: dict[Source, int] = {}  # how many of a clip's frames are shown at none of the result's times
        ends = [joins.read_ends(self._adapted(source)) for source in sources]
        for source, count in self._left_out.items():
            logger.warning(
                "%s: %d of its frames are left out, because the sequence has the rate of %s, %.4g frames/s",
                source.name, count, sources[0].name, self.rate,
            )  # fmt: skip
        self.joins = [joins.find_join(first, second) for first, second in itertools.pairwise(ends)]
        self.parts = self._parts(ends)
        self.report = {
            "layout": "sequence",
            "inputs": [self._describe(part) for part in self.parts],
            "joins": [self._describe_join(index, join) for index, join in enumerate(self.joins)],
            "seconds": {"compare": time.perf_counter() - begun},
            "compile_seconds": 0.0,
        }

    def frames(self, checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[RGB]:
        """Yields the sequence's frames in order, RGB; a resumed run yields only the remaining ones."""
        return passed(self._frames(), checkpoints)

    def _frames(self) -> Iterator[RGB]:
        begun, count = time.perf_counter(), 0
        last: RGB | None = None
        for index, part in enumerate(self.parts):
            first = True
            for frame in self._shown(part):
                if first and last is not None:
                    between = self._between(last, frame, self.joins[index - 1])
                    count += len(between)
                    yield from between
                    if self._debug is not None:
                        self._debug.write(f"join_{index}", np.hstack([last, *between, frame]))
                first, last = False, frame
                count += 1
                yield frame
        seconds = time.perf_counter() - begun
        self.report["seconds"]["join"] = seconds
        self.report |= {"frames": count, "width": self.size[0], "height": self.size[1]}
        self.report["frames_per_second"] = count / max(seconds, 1e-9)

    def _between(self, last: RGB, first: RGB, join: Join) -> Sequence[RGB]:
        """The frames inserted between two parts; none if the clips overlap."""
        return [] if join.overlap or not self._bridge else self._interpolate(last, first, self._bridge)

    def sound_spans(self) -> list[tuple[Source, float, float, float]]:
        """Returns each part's source, first and last second that are shown, and the seconds of the bridge before it.

        Seconds count from the beginning of the clip's file, where its sound may start before its picture.
        """
        result = []
        for index, part in enumerate(self.parts):
            lead = self._leads[part.source]
            bridged = index > 0 and not self.joins[index - 1].overlap
            gap = self._bridge / self.rate if bridged else 0.0
            result.append((part.source, lead + part.start / self.rate, lead + part.stop / self.rate, gap))
        return result

    def _adapted(self, source: Source) -> Iterator[RGB]:
        """A clip's frames at the sequence's size and rate, from its first frame on; a picture lasts one frame."""
        last = 1 / source.rate
        if source.count == 1:
            last = max(last, 1 / self.rate)
        widening = float(source.aspect / self._sources[0].aspect)
        shown, before = 0, None
        for frame in joins.resample(self._from_zero(source), self.rate, last):
            shown += frame is not before
            before = frame
            yield joins.fit_to_size(frame, self.size, widening)
        if self._read[source] > shown:
            self._left_out[source] = self._read[source] - shown

    def _from_zero(self, source: Source) -> Iterator[tuple[float, RGB]]:
        """A clip's frames with their seconds since the first one, whose time is noted in `_leads`."""
        self._read[source] = 0
        for seconds, frame in source.frames():
            self._read[source] += 1
            yield seconds - self._leads.setdefault(source, seconds), frame

    def _shown(self, part: ClipPart) -> Iterator[RGB]:
        shown = (frame for index, frame in enumerate(self._adapted(part.source)) if part.start <= index < part.stop)
        yield from joins.apply_gain(shown, part.gain)

    def _parts(self, ends: Sequence[Ends]) -> list[ClipPart]:
        gain = np.ones(3)
        result = []
        for index, source in enumerate(self._sources):
            before = self.joins[index - 1] if index else None
            after = self.joins[index] if index < len(self.joins) else None
            gain = joins.without_tint(gain * before.gain, ends[index].head) if before else gain
            start, stop = before.skip if before else 0, ends[index].count - (after.drop if after else 0)
            result.append(ClipPart(source=source, start=min(start, stop), stop=stop, gain=gain))
        return result

    def _describe(self, part: ClipPart) -> dict:
        return {
            "from_seconds": part.start / self.rate, "to_seconds": part.stop / self.rate,
            "gain": float(part.gain @ LUMA), "gain_rgb": part.gain.tolist(),
            "size": list(part.source.size), "rate": part.source.rate,
        }  # fmt: skip

    def _describe_join(self, index: int, join: Join) -> dict:
        kind = "overlap" if join.overlap else "bridge" if self._bridge else "cut"
        return {
            "inputs": [index + 1, index + 2], "kind": kind, "overlap_frames": join.overlap,
            "distance": join.distance, "bridge_frames": 0 if join.overlap else self._bridge,
        }  # fmt: skip
