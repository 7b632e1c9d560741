"""The flow: read, preprocess, diffuse, postprocess, write."""

import contextlib
import dataclasses
import itertools
import logging
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vdiff_jax import media
from vdiff_jax.colouring import TwoWays
from vdiff_jax.errors import MaskError, OptionError
from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.media.threads import Prefetch
from vdiff_jax.plan import Plan, make_plan
from vdiff_jax.preprocess.cadence import without_repeats
from vdiff_jax.preprocess.chunks import Chunk, chunks, prepare
from vdiff_jax.preprocess.film import find_beside
from vdiff_jax.preprocess.insertion import retimed
from vdiff_jax.preprocess.references import with_references
from vdiff_jax.preprocess.witnesses import witnessed
from vdiff_jax.restorer import Restorer
from vdiff_jax.tasks.colorize import Colouring
from vdiff_jax.weights import for_task, load, trained_tasks

log = logging.getLogger(__name__)

_MEASURED = 24
"""Frames at the start that noise is measured on."""
AUTO = "auto"
"""The mask that old film's damage is found for; its flicker is evened."""
_MEASURED_BYTES = 256 << 20

Progress = Callable[[int], Any]


def repair(
    source: str | Path,
    target: str | Path,
    *,
    task: str = "auto",
    mask: str | Path | None = None,
    sigma: float | int | None = None,
    fps: Fraction | float | None = None,
    slow: Fraction | float | None = None,
    scale: int | None = None,
    size: tuple[int, int] | None = None,
    deinterlace: bool = False,
    reference: Sequence[str | Path] = (),
    force: bool = False,
    weights: str = "base",
    codec: str | None = None,
    options: dict[str, str] | None = None,
    start: float | None = None,
    stop: float | None = None,
    progress: Progress = lambda frames: None,
) -> dict[str, Any]:
    """Repairs a video from file to file and returns the report.

    Args:
      source: any file, folder or glob that `media.open_reader` takes.
      target: what `media.open_writer` takes.
      task: "auto" or a task.
      mask: what is to be filled is white.
      sigma: the noise in 8-bit units; measured if left out.
      scale: how many times larger superres makes the video, 2 or 4.
      size: the width and height, as shown, that superres gives it instead.
      deinterlace: makes whole pictures of interlaced lines first.
      reference: pictures of coloured frames, `N:picture` for frame N, for colorize.
      force: takes references and a coloured video as they are.
      weights: a name or a file; of the package's the set that was tuned for the task, where there is one.
      codec, options: the encoder's name and options.
      start, stop: seconds; the part that is repaired.
      progress: is told how many frames are done.

    Raises:
      VdiffError: one of its kinds, for anything wrong with the input, the options or the output.
    """
    media.check_target(target, [source])
    weights = for_task(weights, task)
    clock = Clock()
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(media.open_reader(source, start=start, stop=stop, deinterlace=deinterlace))
        info = reader.info
        frames, first = _peek(clock.timed("read", reader), info.frame_bytes)
        if mask == AUTO:
            frames, masks = find_beside(frames, info.pixels)
        else:
            masks = _masks(mask, info, start, stack)
        wanted = {"scale": scale, "size": _stored(size, info), "force": force, "codec": info.codec}
        wanted["references"] = media.read_references(reference, info)
        wanted["deblocks"] = "deblock" in trained_tasks(weights)
        plan = make_plan(task, first, info.pixels, masked=mask is not None, sigma=sigma, weights=weights, **wanted)
        log.info("%s: %s", " and ".join(plan.tasks) or "nothing to do", plan.why)
        shown, interval = _timing(task, _shown(info, plan), fps, slow)
        sound = source if slow is None else None
        writer = stack.enter_context(media.open_writer(target, shown, codec=codec, options=options, copy_from=sound))
        with clock.stage("load"):
            restorer = restorer_for(plan)
        restored = restored_frames(restorer, frames, masks, info.pixels, plan, clock, stack, interval)
        count = 0
        for frame in restored:
            with clock.stage("write"):
                writer.write(frame)
            count += 1
            progress(count)
    return clock.report(count, shown.width, shown.height, plan, restorer)


def repair_frames(
    frames: Iterable[Frame],
    masks: Iterable[np.ndarray | None],
    pixels: PixelFormat,
    plan: Plan,
    interval: Fraction | None = None,
) -> Iterator[Frame]:
    """The same from frames to frames, for arrays in memory; `interval` as in `retimed`."""
    with contextlib.ExitStack() as stack:
        yield from restored_frames(restorer_for(plan), frames, masks, pixels, plan, Clock(), stack, interval)


def restorer_for(plan: Plan) -> Restorer | TwoWays | None:
    """What does as planned; `None` where nothing is to be done."""
    if not plan.tasks:
        return None
    if isinstance(plan.job, Colouring):
        return TwoWays(plan.job, plan.references or (), force=plan.force)
    return Restorer(load(plan.weights), plan.job, plan.sigma_of)


def restored_frames(
    restorer: Restorer | TwoWays | None,
    frames: Iterable[Frame],
    masks: Iterable[np.ndarray | None],
    pixels: PixelFormat,
    plan: Plan,
    clock: "Clock",
    stack: contextlib.ExitStack,
    interval: Fraction | None = None,
) -> Iterator[Frame]:
    """Preprocess, in a thread; diffuse and postprocess, on the device. Nothing to do: the frames as they are."""
    if restorer is None:
        return iter(frames)
    prepared = prepare(frames, masks, pixels, restorer.multiple, scale=plan.job.scale)
    prepared = witnessed(prepared, pixels)
    if interval is not None:
        prepared = retimed(without_repeats(prepared), interval)
    if plan.references is not None:
        prepared = with_references(prepared, plan.references, pixels, force=plan.force)
    cut = chunks(prepared, restorer.frames)
    ahead: Prefetch[Chunk] = Prefetch(clock.timed("preprocess", cut), depth=2)
    stack.callback(ahead.close)
    return itertools.chain.from_iterable(_diffused(ahead, restorer, clock))


def _diffused(ahead: Iterable[Chunk], restorer: Restorer | TwoWays, clock: "Clock") -> Iterator[list[Frame]]:
    for chunk in ahead:
        with clock.stage("diffuse"):
            frames = restorer(chunk)
        yield frames
    yield restorer.finish()


def _peek(frames: Iterator[Frame], frame_bytes: int) -> tuple[Iterator[Frame], list[Frame]]:
    """The first frames, and all of them."""
    count = max(2, min(_MEASURED, _MEASURED_BYTES // max(frame_bytes, 1)))
    first = list(itertools.islice(frames, count))
    return itertools.chain(first, frames), first


def _timing(
    task: str, info: media.VideoInfo, fps: Fraction | float | None, slow: Fraction | float | None
) -> tuple[media.VideoInfo, Fraction | None]:
    """What the output's frames are, and the interval between them in the input's time base; `None`: as they come.

    Raises:
      OptionError: a rate or slowness that makes no frames, or that another task is not made for.
    """
    if task != "interpolate":
        if fps is not None or slow is not None:
            raise OptionError("fps and slow are interpolate's: pass --task interpolate with them")
        return info, None
    if (fps is None) == (slow is None):
        raise OptionError("interpolate needs either --fps, the rate to reach, or --slow, how many times slower to play")
    if slow is not None:
        if slow <= 1:
            raise OptionError(f"slow {float(slow):g} is out of range: it is how many times slower to play, above 1")
        rate, seconds = info.rate, 1 / (info.rate * Fraction(slow))
    else:
        rate = Fraction(fps).limit_denominator(1001)
        if not info.rate <= rate <= 1000:
            raise OptionError(f"fps {float(fps):g} is out of range: from the video's {float(info.rate):.6g} to 1000")
        seconds = 1 / rate
    frames = info.frames and round(info.frames * float(1 / (info.rate * seconds)))
    return dataclasses.replace(info, rate=rate, time_base=1 / rate, frames=frames), seconds / info.time_base


def _stored(size: tuple[int, int] | None, info: media.VideoInfo) -> tuple[int, int] | None:
    """Height and width of the stored pictures, for the width and height of those that are shown."""
    if size is None:
        return None
    return size if info.rotation in (90, 270) else size[::-1]


def _shown(info: media.VideoInfo, plan: Plan) -> media.VideoInfo:
    """The output's properties: where its size would stretch the picture, pixels change their shape instead."""
    pixels, (height, width) = plan.job.written()
    if (height, width) == (info.height, info.width):
        return dataclasses.replace(info, pixels=pixels)
    if info.interlaced:
        log.warning("the video is interlaced, and taken for whole pictures: --deinterlace makes them of its lines")
    aspect, stretch = info.sample_aspect, Fraction(info.width * height, info.height * width)
    if abs(stretch - 1) > 0.01:  # else it is a side that was rounded
        aspect = ((aspect or 1) * stretch).limit_denominator(1000)
    if aspect not in (None, 1):
        log.warning("pixels are not square: %s before, %s now", info.sample_aspect or "1", aspect)
    return dataclasses.replace(info, pixels=pixels, width=width, height=height, sample_aspect=aspect)


def _masks(mask: str | Path | None, info: media.VideoInfo, start: float | None, stack: contextlib.ExitStack):
    if mask is None:
        return itertools.repeat(None)
    read = media.read_mask(mask, info, start=start)
    if isinstance(read, media.MovingMask):
        return stack.enter_context(read)
    if not read.any():
        raise MaskError(f"the mask {mask} is black everywhere: white says what to repair")
    if read.all():
        raise MaskError(f"the mask {mask} is white everywhere: nothing is left to repair the video from")
    return itertools.repeat(read)


class Clock:
    """How long each stage took, and when the frames came."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = time.monotonic()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begun = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begun

    def timed(self, name: str, items: Iterable) -> Iterator:
        """The items, the time waited for each counted to a stage."""
        iterator = iter(items)
        end = object()
        while True:
            with self.stage(name):
                item = next(iterator, end)
            if item is end:
                return
            yield item

    def report(
        self, count: int, width: int, height: int, plan: Plan, restorer: Restorer | TwoWays | None
    ) -> dict[str, Any]:
        """The report as JSON."""
        compiling = restorer.compile_seconds if restorer else 0.0
        more = restorer.report() if restorer else {}
        return {**self.measures(count, width, height, compiling), "plan": plan.report(), **more}

    def measures(self, count: int, width: int, height: int, compiling: float = 0.0) -> dict[str, Any]:
        """How much was done in which time; stages overlap, for they run in threads."""
        total = time.monotonic() - self._begun
        working = total - compiling - self.seconds.get("load", 0.0)
        return {
            "frames": count,
            "width": width,
            "height": height,
            "seconds": {**{k: round(v, 3) for k, v in self.seconds.items()}, "total": round(total, 3)},
            "compile_seconds": round(compiling, 3),
            "frames_per_second": round(count / max(working, 1e-9), 3),
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }
