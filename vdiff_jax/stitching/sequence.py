"""Clips one after another as one film: size, rate, colour and loudness matched, takes of the same moment joined."""

import dataclasses
import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from vdiff_jax.errors import OptionError, StitchError
from vdiff_jax.stitching import joins
from vdiff_jax.stitching.debug_pictures import Stages
from vdiff_jax.stitching.joins import Join
from vdiff_jax.stitching.source import RGB, Source

Interpolate = Callable[[RGB, RGB, int], Sequence[RGB]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """A clip's part of the film, in frames at the film's rate."""

    source: Source
    start: int
    stop: int
    gain: np.ndarray


class Film:
    """A film whose joins are known; `report` is complete after the last frame."""

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        bridge: int = 0,
        interpolate: Interpolate = joins.bridge,
        debug: str | os.PathLike | None = None,
    ):
        """Args: debug: a folder for pictures of each join."""
        if len(sources) < 2:
            raise StitchError(f"{len(sources)} input: a film is joined from two or more")
        if bridge < 0:
            raise OptionError(f"bridge {bridge}: pass 0 for hard cuts, or the frames of each join")
        begun = time.perf_counter()
        self._sources, self._bridge, self._interpolate = sources, bridge, interpolate
        self._stages = None if debug is None else Stages(debug)
        self.size = (sources[0].size[0] + sources[0].size[0] % 2, sources[0].size[1] + sources[0].size[1] % 2)
        self.rate = sources[0].rate
        ends = [joins.ends(self._adapted(source)) for source in sources]
        self.joins = [joins.join(first, second) for first, second in itertools.pairwise(ends)]
        self.parts = self._parts([each.count for each in ends])
        self.report = {
            "layout": "sequence",
            "inputs": [self._describe(part) for part in self.parts],
            "joins": [self._describe_join(index, each) for index, each in enumerate(self.joins)],
            "seconds": {"compare": time.perf_counter() - begun},
            "compile_seconds": 0.0,
        }

    def frames(self) -> Iterator[RGB]:
        """The film's frames in order, RGB."""
        begun, count = time.perf_counter(), 0
        last: RGB | None = None
        for index, part in enumerate(self.parts):
            first = True
            for frame in self._shown(part):
                if first and last is not None:
                    between = self._between(last, frame, self.joins[index - 1])
                    count += len(between)
                    yield from between
                    if self._stages is not None:
                        self._stages.write(f"join_{index}", np.hstack([last, *between, frame]))
                first, last = False, frame
                count += 1
                yield frame
        seconds = time.perf_counter() - begun
        self.report["seconds"]["join"] = seconds
        self.report |= {"frames": count, "width": self.size[0], "height": self.size[1]}
        self.report["frames_per_second"] = count / max(seconds, 1e-9)

    def _between(self, last: RGB, first: RGB, at: Join) -> Sequence[RGB]:
        """The frames put between two parts; none where they overlap."""
        return [] if at.overlap or not self._bridge else self._interpolate(last, first, self._bridge)

    def spans(self) -> list[tuple[Source, float, float, float]]:
        """For the sound: each source, from and to which second of it is shown, and how long the bridge before it is."""
        result = []
        for index, part in enumerate(self.parts):
            bridged = index > 0 and not self.joins[index - 1].overlap
            gap = self._bridge / self.rate if bridged else 0.0
            result.append((part.source, part.start / self.rate, part.stop / self.rate, gap))
        return result

    def _adapted(self, source: Source) -> Iterator[RGB]:
        last = 1 / source.rate
        if source.count == 1:
            last = max(last, 1 / self.rate)
        for frame in joins.at_rate(iter(source.frames()), self.rate, last):
            yield joins.fitted(frame, self.size)

    def _shown(self, part: Part) -> Iterator[RGB]:
        shown = (frame for index, frame in enumerate(self._adapted(part.source)) if part.start <= index < part.stop)
        yield from joins.matched(shown, part.gain)

    def _parts(self, counts: list[int]) -> list[Part]:
        gain = np.ones(3)
        result = []
        for index, source in enumerate(self._sources):
            before = self.joins[index - 1] if index else None
            after = self.joins[index] if index < len(self.joins) else None
            gain = gain * before.gain if before else gain
            start, stop = before.skip if before else 0, counts[index] - (after.drop if after else 0)
            result.append(Part(source=source, start=min(start, stop), stop=stop, gain=gain))
        return result

    def _describe(self, part: Part) -> dict:
        return {
            "from_seconds": part.start / self.rate, "to_seconds": part.stop / self.rate,
            "gain": float(part.gain @ np.array([0.299, 0.587, 0.114])), "gain_rgb": part.gain.tolist(),
            "size": list(part.source.size), "rate": part.source.rate,
        }  # fmt: skip

    def _describe_join(self, index: int, each: Join) -> dict:
        kind = "overlap" if each.overlap else "bridge" if self._bridge else "cut"
        return {
            "inputs": [index + 1, index + 2], "kind": kind, "overlap_frames": each.overlap,
            "distance": each.distance, "bridge_frames": 0 if each.overlap else self._bridge,
        }  # fmt: skip
