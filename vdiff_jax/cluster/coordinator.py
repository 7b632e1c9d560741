"""Assigns videos and segments to workers, and reassigns those of a worker that dies. It does not import Ray."""

import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

from vdiff_jax.cluster.worker import Answer, Begun, Video
from vdiff_jax.errors import VdiffError
from vdiff_jax.restoration.in_segments import Film

ATTEMPTS = 3
"""An assignment fails when this many workers have died during it."""
_PERIOD = 1.0
"""At most this many seconds pass between two reports of progress, and between two searches for new workers."""


class Died(NamedTuple):
    """Takes the place of the answer of a worker that died during its assignment."""

    reason: str


@runtime_checkable
class Pool(Protocol):
    """The workers of a cluster."""

    def idle(self) -> list[Hashable]:
        """The workers that can take an assignment, including those that have joined the cluster since the last call.

        Raises:
          ClusterError: there are no workers, and none can be started.
        """
        ...

    def submit(self, worker: Hashable, method: str, *arguments: Any) -> None:
        """Starts a method of `Worker` on a worker."""
        ...

    def finished(self, seconds: float) -> list[tuple[Hashable, Answer | Died]]:
        """Waits until a worker has finished, or for `seconds`; returns each finished worker with its answer."""
        ...

    def running_frames(self) -> int:
        """How many frames of the running assignments are done."""
        ...


class Assignment(NamedTuple):
    """A method of `Worker` for the video with this number."""

    method: str
    video: int
    number: int = 0


class Coordinator:
    """Repairs videos on a pool of workers.

    Args:
      pool: the workers.
      videos: the videos.
      done: is called for each finished video, with its number and its report or error.
      planned: is called for each video that is restored in segments, with its number and its segments.
      progress: is called with the number of frames that are done, of all videos together.
    """

    def __init__(
        self,
        pool: Pool,
        videos: Sequence[Video],
        *,
        done: Callable[[int, dict[str, Any] | VdiffError], Any],
        planned: Callable[[int, Film], Any] = lambda video, film: None,
        progress: Callable[[int], Any] = lambda frames: None,
    ):
        self._pool, self._videos = pool, videos
        self._done, self._planned, self._progress = done, planned, progress
        self._waiting = deque(Assignment("begin", video) for video in range(len(videos)))
        self._running: dict[Hashable, Assignment] = {}
        self._deaths: Counter[Assignment] = Counter()
        self._films: dict[int, Film] = {}
        self._left: dict[int, int] = {}  # how many segments of each film are not finished
        self._begun: dict[int, float] = {}
        self._warnings: dict[int, list[str]] = {}
        self._failed: set[int] = set()
        self._frames = 0

    def run(self) -> None:
        """Repairs all videos.

        Raises:
          ClusterError: no workers are left.
        """
        while self._waiting or self._running:
            for worker in self._pool.idle():
                if self._waiting:
                    self._give(worker, self._waiting.popleft())
            for worker, answer in self._pool.finished(_PERIOD):
                assignment = self._running.pop(worker)
                if isinstance(answer, Died):
                    self._again(assignment, answer)
                elif assignment.video not in self._failed:
                    self._take(assignment, answer)
            self._progress(self._frames + self._pool.running_frames())

    def _give(self, worker: Hashable, assignment: Assignment) -> None:
        self._running[worker] = assignment
        video = self._videos[assignment.video]
        if assignment.method == "begin":
            self._begun.setdefault(assignment.video, time.monotonic())
            arguments = [self._deaths[assignment] > 0]
        else:
            arguments = [self._films[assignment.video], assignment.number]
        if assignment.method == "join":
            arguments.pop()
        self._pool.submit(worker, assignment.method, video, *arguments)

    def _again(self, assignment: Assignment, died: Died) -> None:
        """Puts an assignment whose worker died at the head of the queue."""
        self._deaths[assignment] += 1
        if assignment.video in self._failed:
            return
        if self._deaths[assignment] < ATTEMPTS:
            self._waiting.appendleft(assignment)
        else:
            self._fail(
                assignment, VdiffError(f"{ATTEMPTS} workers died during it ({died.reason}): see the cluster's logs")
            )

    def _take(self, assignment: Assignment, answer: Answer) -> None:
        result, video = answer.result, assignment.video
        warnings = self._warnings.setdefault(video, [])
        warnings += [text for text in answer.warnings if text not in warnings]
        if isinstance(result, VdiffError):
            self._fail(assignment, result)
        elif isinstance(result, Begun):
            self._films[video] = result.film
            self._planned(video, result.film)
            missing = [n for n in range(len(result.film.segments)) if n not in result.finished]
            self._left[video] = len(missing)
            self._waiting.extendleft(
                reversed([Assignment("segment", video, n) for n in missing] or [Assignment("join", video)])
            )
        elif assignment.method == "segment":
            self._frames += result
            self._left[video] -= 1
            if not self._left[video]:
                self._waiting.appendleft(Assignment("join", video))
        else:
            self._finish(video, result)

    def _finish(self, video: int, report: dict[str, Any]) -> None:
        if video in self._films:
            seconds = time.monotonic() - self._begun[video]
            rate = report["frames"] / max(seconds, 1e-9)
            report |= {"seconds": {"total": round(seconds, 3)}, "frames_per_second": round(rate, 3)}
        else:
            self._frames += report["frames"]
        self._done(video, report | {"warnings": self._warnings[video]})

    def _fail(self, assignment: Assignment, error: VdiffError) -> None:
        """Reports a video as failed. Its running segments are finished and kept for a later run."""
        self._failed.add(assignment.video)
        self._waiting = deque(each for each in self._waiting if each.video != assignment.video)
        self._done(assignment.video, error)
