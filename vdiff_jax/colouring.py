"""Colours from the references before and after a frame, blended by trust and by distance in time.

The recurrence runs forward. What lies between a cut or a reference and the next reference is held back until that one
comes, and is then restored once more, backward from it. A cut ends what a reference serves.
"""

import bisect
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import ReferencePictureError
from vdiff_jax.media.pixels import Frame
from vdiff_jax.preprocess.chunks import Chunk, Prepared, chunks
from vdiff_jax.preprocess.trail import Trail, best_next
from vdiff_jax.restorer import Restorer

_HELD_BYTES = 1 << 30
"""Memory for frames that wait for a reference; it reaches no further back than that."""

Trust = Float[np.ndarray, "hv wv"]


@dataclasses.dataclass(frozen=True)
class Coloured:
    """A frame as it was read, as it came out of one direction, and how far its colours may be trusted."""

    item: Prepared
    frame: Frame
    trust: Trust


class TwoWays:
    """Restores chunk by chunk, in both directions where there is a reference ahead.

    Args:
      restorer: of the forward direction.
      references: the numbers of the frames that have one.
      force: lets references contradict each other.
    """

    def __init__(self, restorer: Restorer, references: Iterable[int], *, force: bool = False):
        self._restorer, self._references, self._force = restorer, sorted(references), force
        self._trail = Trail()
        self._held: list[Coloured] = []
        self._read = 0  # frames restored forward
        self._since: int | None = None  # the shot's last reference
        self._trust: list[float] = []
        self._starts: list[int] = []

    def __call__(self, chunk: Chunk) -> list[Frame]:
        """The frames that are finished."""
        done: list[Frame] = []
        if chunk.starts_shot:
            done += self._release(0)
            self._since = None
            self._starts.append(self._read)
        results = map(Coloured, chunk.prepared, self._restorer(chunk), self._trail(chunk))
        for one, contradicted in zip(results, self._trail.contradicted):
            if one.item.coloured:
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

    @property
    def compile_seconds(self) -> float:
        return self._restorer.compile_seconds

    def finish(self) -> list[Frame]:
        """The last frames."""
        return self._release(0)

    def report(self) -> dict[str, Any]:
        """Each frame's mean trust, and the frame whose colours would help most."""
        if not self._trust:
            return {}
        confidence = [round(value, 3) for value in self._trust]
        return {"confidence": confidence, "next_reference": best_next(self._trust, self._starts)}

    def _worth_holding(self, last: Coloured) -> int:
        """How many of the latest frames a reference ahead can still serve."""
        if last.item.coloured:
            return 0
        index = bisect.bisect_left(self._references, self._read)
        if index == len(self._references):
            return 0
        limit = _HELD_BYTES // (4 * sum(plane.nbytes for plane in last.frame.planes))
        return max(0, limit - (self._references[index] - self._read))

    def _release(self, count: int) -> list[Frame]:
        """All but the latest `count` of the frames held, as they are."""
        ripe = max(0, len(self._held) - count)
        ready, self._held = self._held[:ripe], self._held[ripe:]
        self._trust += [float(one.trust.mean()) for one in ready]
        return [one.frame for one in ready]

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
            joined.append(_blend(one, other, since, distance))
        self._trust += [float(one.trust.mean()) for one in reversed(joined)]
        return [one.frame for one in reversed(joined)]

    def _backward(self, items: list[Prepared]) -> Iterator[Coloured]:
        """The frames from the last but one to the first, restored in that order from the last."""
        restorer, trail = self._restorer.anew(), Trail()
        line = [
            dataclasses.replace(item, starts_shot=n == 0, seen=dataclasses.replace(item.seen, time=-item.seen.time))
            for n, item in enumerate(reversed(items))
        ]
        for number, chunk in enumerate(chunks(line, restorer.frames)):
            results = list(map(Coloured, chunk.prepared, restorer(chunk), trail(chunk)))
            yield from results[1 if number == 0 else 0 :]


def _blend(forward: Coloured, backward: Coloured, since: float | int, until: int) -> Coloured:
    """Both directions, each weighted by its trust over its distance in time."""
    a, b = (forward.trust + 1e-3) / max(since, 1e-3), (backward.trust + 1e-3) / until
    share = a / (a + b)
    planes = tuple(_mean(*pair, share) for pair in zip(forward.frame.planes, backward.frame.planes))
    frame = dataclasses.replace(forward.frame, planes=planes)
    return Coloured(forward.item, frame, np.maximum(forward.trust, backward.trust))


def _mean(a: np.ndarray, b: np.ndarray, share: Trust) -> np.ndarray:
    weight = cv2.resize(share, a.shape[::-1], interpolation=cv2.INTER_LINEAR)
    mixed = b + weight * (a.astype(np.float32) - b)
    return mixed.astype(a.dtype) if np.issubdtype(a.dtype, np.floating) else np.rint(mixed).astype(a.dtype)
