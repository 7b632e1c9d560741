"""Restores a long film in segments, each on any machine, and joins them without encoding again.

The network and all steps around it restart at each shot. So the frames equal those of a run that restores the film as a
whole.
"""

import contextlib
import dataclasses
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vdiff_jax import media
from vdiff_jax.errors import InputError
from vdiff_jax.media.threads import prefetched
from vdiff_jax.pixels import Frame
from vdiff_jax.restoration.backend import check_backend
from vdiff_jax.restoration.extent import Extent, extent_for
from vdiff_jax.restoration.options import Options
from vdiff_jax.restoration.output import output_info
from vdiff_jax.restoration.pipeline import chosen_backend, report, restored_frames, restorer_for
from vdiff_jax.restoration.segment import CONTEXT, WHOLE, Segment
from vdiff_jax.restoration.video import opened, plan_for
from vdiff_jax.restoration.words import plan_text
from vdiff_jax.runtime.checkpoint_files import Checkpoint, segment_name, write_json
from vdiff_jax.runtime.checkpoints import Checkpoints
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.weights import load

log = logging.getLogger(__name__)

SEGMENT_FRAMES = 400
"""A segment ends with the first shot that ends after this many frames."""
_ENDINGS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm"})
"""Formats in which a frame can be found by its time, and in which packets can be joined."""
_ALONE = ("fps", "slow", "reference", "deinterlace", "double_rate", "preview", "start", "stop")
"""Options with which a film is not cut, because a frame then depends on other shots or on where reading starts."""


class Film(NamedTuple):
    """What is the same for all segments of a film.

    Attributes:
      options: of the repair.
      plan: what is done.
      extent: how much of the film is in memory at once.
      backend: what runs the network.
      segments: from the start to the end of the film.
      frames: about how many frames there are.
      text: the plan in words.
    """

    options: Options
    plan: Plan
    extent: Extent
    backend: str | None
    segments: tuple[Segment, ...]
    frames: int
    text: str


def film_for(source: str | Path, target: str | Path, options: Options, *, frames: int = SEGMENT_FRAMES) -> Film | None:
    """A video's plan and segments; `None` if it is restored as a whole, because it is short or can't be cut.

    Args:
      source: a file.
      target: the output.
      options: of the repair.
      frames: the least number of frames in a segment.

    Raises:
      VdiffError: one of its subclasses, for anything wrong with the input or the options.
    """
    check_backend(options.backend)
    endings = {Path(name).suffix.lower() for name in (source, target)}
    if not endings <= _ENDINGS or media.is_folder_target(target) or not media.seekable(source):
        return None
    if any(getattr(options, name) != getattr(Options, name) for name in _ALONE):
        return None
    if options.mask is not None and not media.is_picture(options.mask):
        return None
    if (media.declared_frames(source) or 0) < 2 * frames:  # most videos are short, and need not be decoded to see that
        return None
    with opened(source, options, Stopwatch()) as video:
        info = video.info
        if info.frames is None or info.frames < 2 * frames:
            return None
        plan = plan_for(video, options)
        if not plan.tasks or plan.references is not None:
            return None
        made = output_info(info, plan, video.lead)
        text = plan_text(info, made, plan)
        extent, backend = extent_for(plan, options.memory), chosen_backend(options, plan, made)
    segments = tuple(_segments(source, options, plan, info, frames))
    if len(segments) == 1:
        log.info("%s is repaired as a whole: no cut was found to split it at", source)
        return None
    return Film(options, plan, extent, backend, segments, info.frames, text)


def _segments(
    source: str | Path, options: Options, plan: Plan, info: media.VideoInfo, frames: int
) -> Iterator[Segment]:
    """The segments. To find each cut, only frames after the segment's least length are read."""
    step = 1 / (info.rate * info.time_base)
    last, here = (info.frames - frames) * step, WHOLE
    while (wanted := round((here.start or 0) + frames * step)) < last:
        cut = _next_cut(source, options, plan, round(wanted - CONTEXT * step))
        if cut is None or cut[1] > last:
            break
        yield here._replace(stop=cut[1])
        here = Segment(*cut)
    yield here


def _next_cut(source: str | Path, options: Options, plan: Plan, begin: int) -> tuple[int, int] | None:
    """The next cut, as two pts: of the frame to read from, `CONTEXT` before it, and of the frame after it; or `None`.

    Args:
      source: the film.
      options, plan: its repair.
      begin: the pts to search from. A cut at the first `CONTEXT` frames after it is not found.
    """
    recent: deque[int] = deque(maxlen=CONTEXT)
    multiple = load(plan.weights).config.multiple
    with contextlib.suppress(InputError), opened(source, options, Stopwatch(), at=begin) as video:
        for item in analyse(*video.footage, multiple, scale=plan.conversion.scale):
            if item.starts_shot and len(recent) == CONTEXT:
                return recent[0], int(item.frame.pts)
            recent.append(int(item.frame.pts))
    return None


def restored_segment(
    source: str | Path, target: str | Path, film: Film, number: int, progress: Callable[[int], Any]
) -> tuple[int, list[np.ndarray]]:
    """Restores and encodes a segment.

    Args:
      source, target: of the film.
      film: from `film_for`, possibly on another machine.
      number: of the segment.
      progress: is called with the number of frames that are done.

    Returns:
      How many frames it has, and their packets as arrays.
    """
    segment, count = film.segments[number], 0

    def counted(frames: Iterable[Frame]) -> Iterator[Frame]:
        nonlocal count
        for count, frame in enumerate(frames, start=1):
            yield frame
            progress(count)

    with opened(source, film.options, Stopwatch(), at=segment.begin) as video:
        restorer = restorer_for(film.plan, film.extent, film.backend)
        footage = video.footage._replace(frames=segment.read(video.footage.frames))
        frames = restored_frames(footage, film.plan, restorer, segment=segment)
        info = output_info(video.info, film.plan, video.lead)
        encoder = {"codec": film.options.codec, "options": film.options.options, "noise": film.plan.noise}
        with contextlib.closing(prefetched(frames, depth=2)) as ahead:
            packets = media.encode_segment(counted(ahead), target, info, **encoder)
    return count, packets


def join(
    source: str | Path, target: str | Path, film: Film, parts: Sequence[tuple[Path, int]], folder: Path
) -> dict[str, Any]:
    """Writes the film from its segments' packets and returns the report.

    Args:
      source, target: of the film.
      film: from `film_for`.
      parts: for each segment the file with its packets and how many frames it has.
      folder: an empty folder for temporary files.
    """
    stopwatch, begun = Stopwatch(), Checkpoint()
    for path, frames in parts:
        begun = Checkpoint(frames=begun.frames + frames, before=begun.frames)
        (folder / segment_name(begun.frames)).symlink_to(path.resolve())
        write_json(folder / f"{begun.frames:09d}.json", dataclasses.asdict(begun))
    with media.open_reader(source) as reader:
        info = output_info(reader.info, film.plan, Fraction(0))
    options = film.options
    encoder = {"codec": options.codec, "options": options.options, "audio_codec": options.audio_codec}
    encoder["noise"] = film.plan.noise
    checkpoints = Checkpoints(folder, begun=begun, quiet=True)
    with (
        stopwatch.stage("write"),
        media.open_writer(target, info, copy_from=os.fspath(source), checkpoints=checkpoints, **encoder),
    ):
        pass
    return report(stopwatch, begun.frames, info, film.plan) | {
        "backend": film.backend,
        "segments": len(film.segments),
    }
