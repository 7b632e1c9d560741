"""The flow: read, preprocess, diffuse, postprocess, write."""

import contextlib
import itertools
import logging
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vdiff_jax import media
from vdiff_jax.errors import MaskError
from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.media.threads import Prefetch
from vdiff_jax.plan import Plan, make_plan
from vdiff_jax.preprocess.chunks import Chunk, chunks, prepare
from vdiff_jax.preprocess.film import find_beside
from vdiff_jax.restorer import Restorer
from vdiff_jax.weights import Weights, load

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
    sigma: float | None = None,
    weights: str = "base",
    codec: str | None = None,
    options: dict[str, str] | None = None,
    start: float | None = None,
    stop: float | None = None,
    progress: Progress = lambda frames: None,
) -> dict[str, Any]:
    """Repairs a video from file to file and returns the report.

    Raises:
      VdiffError: one of its kinds, for anything wrong with the input, the options or the output.
    """
    clock = Clock()
    media.check_target(target, [source])
    network = load(weights)
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(media.open_reader(source, start=start, stop=stop))
        info = reader.info
        frames, first = _peek(clock.timed("read", reader), info.frame_bytes)
        if mask == AUTO:
            frames, masks = find_beside(frames, info.pixels)
        else:
            masks = _masks(mask, info, start, stack)
        plan = make_plan(
            task, first, info.pixels, codec=info.codec, masked=mask is not None, sigma=sigma, weights=weights
        )
        log.info("%s: %s", " and ".join(plan.tasks) or "nothing to do", plan.why)
        writer = stack.enter_context(media.open_writer(target, info, codec=codec, options=options, copy_from=source))
        size = (info.height, info.width)
        restored, restorer = _restored(network, frames, masks, info.pixels, size, plan, clock, stack)
        count = 0
        for frame in restored:
            with clock.stage("write"):
                writer.write(frame)
            count += 1
            progress(count)
    return clock.report(count, info.width, info.height, plan, restorer)


def repair_frames(
    network: Weights,
    frames: Iterable[Frame],
    masks: Iterable[np.ndarray | None],
    pixels: PixelFormat,
    size: tuple[int, int],
    plan: Plan,
) -> Iterator[Frame]:
    """The same from frames to frames, for arrays in memory."""
    with contextlib.ExitStack() as stack:
        yield from _restored(network, frames, masks, pixels, size, plan, Clock(), stack)[0]


def _restored(
    network: Weights, frames, masks, pixels: PixelFormat, size, plan: Plan, clock: "Clock", stack: contextlib.ExitStack
):
    """Preprocess, in a thread; diffuse and postprocess, on the device. Nothing to do: the frames as they are."""
    if not plan.tasks:
        return iter(frames), None
    restorer = Restorer(network, pixels, size, plan.sigma_of)
    prepared = chunks(prepare(frames, masks, pixels, restorer.multiple), restorer.frames)
    ahead: Prefetch[Chunk] = Prefetch(clock.timed("preprocess", prepared), depth=2)
    stack.callback(ahead.close)
    return itertools.chain.from_iterable(_diffused(ahead, restorer, clock)), restorer


def _diffused(ahead: Iterable[Chunk], restorer: Restorer, clock: "Clock") -> Iterator[list[Frame]]:
    for chunk in ahead:
        with clock.stage("diffuse"):
            frames = restorer(chunk)
        yield frames


def _peek(frames: Iterator[Frame], frame_bytes: int) -> tuple[Iterator[Frame], list[Frame]]:
    """The first frames, and all of them."""
    count = max(2, min(_MEASURED, _MEASURED_BYTES // max(frame_bytes, 1)))
    first = list(itertools.islice(frames, count))
    return itertools.chain(first, frames), first


def _masks(mask: str | Path | None, info: media.VideoInfo, start: float | None, stack: contextlib.ExitStack):
    if mask is None:
        return itertools.repeat(None)
    read = media.read_mask(mask, info, start=start)
    if isinstance(read, media.MovingMask):
        return stack.enter_context(read)
    if not read.any():
        raise MaskError(f"the mask {mask} is black everywhere: white says what to repair")
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

    def report(self, count: int, width: int, height: int, plan: Plan, restorer: Restorer | None) -> dict[str, Any]:
        """The report as JSON; stages overlap, for they run in threads."""
        total = time.monotonic() - self._begun
        compiling = restorer.compile_seconds if restorer else 0.0
        return {
            "frames": count,
            "width": width,
            "height": height,
            "seconds": {**{k: round(v, 3) for k, v in self.seconds.items()}, "total": round(total, 3)},
            "compile_seconds": round(compiling, 3),
            "frames_per_second": round(count / max(total - compiling, 1e-9), 3),
            "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "plan": plan.report(),
        }
