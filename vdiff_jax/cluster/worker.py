"""The work that a cluster's device does. It does not import Ray: its methods take and return plain objects."""

import contextlib
import functools
import platform
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, NamedTuple

from vdiff_jax import media
from vdiff_jax.api import repair_path
from vdiff_jax.cluster.parts import Parts
from vdiff_jax.cluster.storage import read_from, written_to
from vdiff_jax.errors import ResumeError, VdiffError
from vdiff_jax.restoration import in_segments
from vdiff_jax.restoration.in_segments import Film, film_for, restored_segment
from vdiff_jax.restoration.options import Options
from vdiff_jax.restoration.pipeline import identity_of
from vdiff_jax.runtime.caches import use_compilation_cache
from vdiff_jax.runtime.files import any_path, file_version
from vdiff_jax.runtime.temporary import temporary_folder
from vdiff_jax.runtime.warning_log import collected_warnings


class Video(NamedTuple):
    """A video to repair.

    Attributes:
      source, target: files, or files in buckets.
      options: the fields of `Options`.
      frames: the least number of frames in a segment.
    """

    source: str
    target: str
    options: dict[str, Any]
    frames: int = in_segments.SEGMENT_FRAMES


class Begun(NamedTuple):
    """A film that is restored in segments, and the numbers of the segments that an earlier run has finished."""

    film: Film
    finished: tuple[int, ...]


class Answer(NamedTuple):
    """What a worker returns for an assignment.

    Attributes:
      result: of `begin`, a report or a `Begun`; of `segment`, its number of frames; of `join`, a report; its
        error if it failed.
      warnings: those logged during the assignment.
    """

    result: Any
    warnings: list[str]


def _answers(method: Callable[..., Any]) -> Callable[..., Answer]:
    """A decorator: returns the result or the error as an `Answer`."""

    @functools.wraps(method)
    def with_answer(self: "Worker", *arguments: Any, **keywords: Any) -> Answer:
        self.frames = 0
        with collected_warnings() as warnings:
            try:
                return Answer(method(self, *arguments, **keywords), warnings)
            except VdiffError as error:
                return Answer(error, warnings)
            except (Exception, CancelledError) as error:
                kind = f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")
                return Answer(VdiffError(f"failed unexpectedly on the worker {platform.node()} ({kind})"), warnings)

    return with_answer


class Worker:
    """Repairs videos and segments one after the other, and keeps the compiled network between them.

    Attributes:
      frames: how many frames of the running assignment are done. Another thread may read it.
    """

    def __init__(self) -> None:
        use_compilation_cache()
        self.frames = 0
        self._source: tuple[str, Path] | None = None
        self._copies = contextlib.ExitStack()

    @_answers
    def begin(self, video: Video, again: bool = False) -> dict[str, Any] | Begun:
        """Repairs a video, or cuts a long film into segments.

        Args:
          video: the video.
          again: whether another worker died during this assignment.

        Returns:
          The report of the repaired video; for a film that is cut into segments, a `Begun`.
        """
        options = Options(**video.options)
        with self._at_hand(video.source) as source:
            plain = options.as_needed and media.read_attachment(source) is not None
            film = None if plain else film_for(source, video.target, options, frames=video.frames)
            if film is None:
                return self._repair(source, video, again)
            about = identity_of(source, options, film.plan) | {"input": file_version(any_path(video.source))}
            about |= {"frames and rows in memory (--memory)": film.extent, "segments": film.segments}
            parts = Parts(video.target)
            parts.begin(about, resume=options.resume or again)
            return Begun(film, tuple(parts.finished()))

    @_answers
    def segment(self, video: Video, film: Film, number: int) -> int:
        """Restores a segment of a film, stores it beside the output, and returns its number of frames."""
        with self._at_hand(video.source) as source:
            frames, packets = restored_segment(source, video.target, film, number, self._count)
        Parts(video.target).put(number, frames, packets)
        return frames

    @_answers
    def join(self, video: Video, film: Film) -> dict[str, Any]:
        """Joins the finished segments of a film into its output, and returns the report."""
        parts = Parts(video.target)
        with (
            self._at_hand(video.source) as source,
            written_to(video.target) as target,
            temporary_folder() as folder,
        ):
            joining = Path(folder) / "joining"
            joining.mkdir()
            report = in_segments.join(source, target, film, parts.fetch(Path(folder)), joining)
        parts.discard()
        return report

    def _repair(self, source: Path, video: Video, again: bool) -> dict[str, Any]:
        """Repairs a video as a whole. After another worker's death, continues from the frames that it kept, if any."""
        with written_to(video.target) as target:
            repair = functools.partial(repair_path, source, target, progress=self._count)
            if not again:
                return repair(**video.options)
            try:
                return repair(**video.options | {"resume": True})
            except ResumeError:
                return repair(**video.options)

    def _count(self, frames: int) -> None:
        self.frames = frames

    @contextlib.contextmanager
    def _at_hand(self, place: str) -> Iterator[Path]:
        """The video on this machine. Its copy stays until another video is needed."""
        if self._source is None or self._source[0] != place:
            self._copies.close()
            self._source = None
            self._source = place, self._copies.enter_context(read_from(place))
        yield self._source[1]
