"""The flow: read, preprocess, diffuse, postprocess, write."""

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from vdiff_jax import media
from vdiff_jax.errors import MaskError, OptionError
from vdiff_jax.media.threads import Prefetch
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.deflicker import deflicker
from vdiff_jax.postprocess.feather import Feather, feather_weight
from vdiff_jax.postprocess.wiener import wiener_step
from vdiff_jax.restoration.colorizer import TwoWays
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.restoration.timing import retiming, stamped
from vdiff_jax.runtime.stopwatch import Clock
from vdiff_jax.stream.analysis import AnalysedFrame, analyse
from vdiff_jax.stream.cadence import drop_repeats
from vdiff_jax.stream.chunks import Chunk, cut_into_chunks
from vdiff_jax.stream.crop import Crop
from vdiff_jax.stream.film import frames_and_damage
from vdiff_jax.stream.propagation import propagate
from vdiff_jax.stream.references import attach_references
from vdiff_jax.stream.retiming import retime
from vdiff_jax.tasks.colorize import Colouring
from vdiff_jax.tasks.plan import Plan
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
    grow: int = 0,
    sigma: float | int | None = None,
    fps: Fraction | float | int | None = None,
    slow: Fraction | float | int | None = None,
    scale: Fraction | float | int | None = None,
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
      grow: pixels around the mask that are filled too, fading out.
      sigma: the noise in 8-bit units; measured if left out.
      scale: how many times larger superres makes the video.
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
    check_growth(grow, masked=mask is not None)
    clock = Clock()
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(media.open_reader(source, start=start, stop=stop, deinterlace=deinterlace))
        info = reader.info
        frames, first = _peek(clock.timed("read", reader), info.frame_bytes)
        if mask == AUTO:
            frames, masks = frames_and_damage(frames, info.pixels)
        else:
            masks = _masks(mask, info, start, stack)
        wanted = {"scale": scale, "size": _stored(size, info), "force": force, "codec": info.codec}
        wanted["references"] = media.read_references(reference, info)
        wanted["deblocks"] = "deblock" in trained_tasks(for_task(weights, "deblock"))
        plan = make_plan(task, first, info.pixels, masked=mask is not None, sigma=sigma, weights=weights, **wanted)
        log.info("%s: %s", " and ".join(plan.tasks) or "nothing to do", plan.why)
        lead = first[0].pts * info.time_base if slow is None else Fraction(0)
        shown, interval = retiming(task, _shown(info, plan), fps, slow, lead)
        sound = source if slow is None else None
        writer = stack.enter_context(media.open_writer(target, shown, codec=codec, options=options, copy_from=sound))
        with clock.stage("load"):
            whole = mask in (None, AUTO, "-") or stop is not None or plan.tasks != ("inpaint",)
            holes = None if whole else media.mask_union(mask, info, start=start)
            part = part_of(plan, holes, info.pixels, grow)
            restorer = restorer_for(plan, part)
        given = (frames, masks, info.pixels, plan, clock, stack, interval)
        restored = restored_frames(restorer, *given, grow=grow, part=part)
        if interval is not None:
            restored = stamped(restored, shown, lead)
        count = 0
        for frame in restored:
            with clock.stage("write"):
                writer.write(frame)
            count += 1
            progress(count)
        if isinstance(masks, media.MovingMask) and masks.all_white:
            raise MaskError(
                f"the mask {mask} is white everywhere in all frames: nothing is left to repair the video from"
            )
    return clock.report(count, shown.width, shown.height, plan, *([] if restorer is None else [restorer]))


def repair_frames(
    frames: Iterable[Frame],
    masks: Iterable[np.ndarray | None],
    pixels: PixelFormat,
    plan: Plan,
    interval: Fraction | None = None,
    *,
    grow: int = 0,
    holes: Bool[np.ndarray, "h w"] | None = None,
) -> Iterator[Frame]:
    """The same from frames to frames, for arrays in memory; `interval` as in `retime`, `holes` as in `part_of`."""
    part = part_of(plan, holes, pixels, grow)
    restorer = restorer_for(plan, part)
    with contextlib.ExitStack() as stack:
        given = (frames, masks, pixels, plan, Clock(), stack, interval)
        yield from restored_frames(restorer, *given, grow=grow, part=part)


def part_of(plan: Plan, holes: Bool[np.ndarray, "h w"] | None, pixels: PixelFormat, grow: int) -> Crop | None:
    """What has to be restored where nothing but holes changes; `None` for all of it.

    Args:
      plan: what is to be done.
      holes: where any frame has one; `None` if that isn't known.
      pixels: the frames' format.
      grow: pixels around the holes that change too.
    """
    if plan.tasks != ("inpaint",) or holes is None:
        return None
    config = load(plan.weights).config
    return Crop.around(holes, pixels, margin=2 * config.halo + grow, multiple=config.multiple)


def restorer_for(plan: Plan, part: Crop | None = None) -> Restorer | TwoWays | None:
    """What does as planned, in a part of the frames; `None` where nothing is to be done."""
    if not plan.tasks:
        return None
    if isinstance(plan.job, Colouring):
        return TwoWays(plan.job, plan.references or (), force=plan.force)
    job = plan.job if part is None else dataclasses.replace(plan.job, size=part.size)
    return Restorer(load(plan.weights), job, plan.sigma_of)


def restored_frames(
    restorer: Restorer | TwoWays | None,
    frames: Iterable[Frame],
    masks: Iterable[np.ndarray | None],
    pixels: PixelFormat,
    plan: Plan,
    clock: Clock,
    stack: contextlib.ExitStack,
    interval: Fraction | None = None,
    *,
    grow: int = 0,
    part: Crop | None = None,
) -> Iterator[Frame]:
    """Preprocess, in a thread; diffuse and postprocess, on the device. Nothing to do: the frames as they are.

    A part is what the restorer was made for.
    """
    if restorer is None:
        return iter(frames)
    feather = None
    if grow and plan.tasks == ("inpaint",):  # else what was there is no more what is beside it
        feather = Feather(grow, pixels)
        frames, masks = feather.keep(frames), map(feather.grow, masks)
    elif grow:
        masks = (feather_weight(mask, grow) > 0 for mask in masks)
    prepared = analyse(frames, masks, pixels, restorer.multiple, scale=plan.job.scale)
    prepared = propagate(prepared, pixels)
    if interval is not None:
        prepared = retime(drop_repeats(prepared), interval)
    if plan.references is not None:
        prepared = attach_references(prepared, plan.references, pixels, force=plan.force)
    restored = diffused(prepared, restorer, clock, stack, part)
    if "denoise" in plan.tasks:
        restored = deflicker(restored, pixels, plan.sigma_of_planes(pixels))
    if plan.tasks in (("deblock",), ("denoise",)) and restorer.wiener_model is not None:
        ahead = Prefetch(iter(restored), restorer.frames)  # the network goes on with the next chunk meanwhile
        stack.callback(ahead.close)
        by = restorer.wiener_model.filter_for(plan.sigma_of_planes(pixels), pixels)
        restored = wiener_step(*itertools.tee(ahead), pixels, by)
    return restored if feather is None else feather.fade(restored)


def diffused(
    prepared: Iterable[AnalysedFrame],
    restorer: Restorer | TwoWays,
    clock: Clock,
    stack: contextlib.ExitStack,
    part: Crop | None = None,
) -> Iterator[Frame]:
    """What the restorer makes of frames that are prepared in a thread, which ends with the stack."""
    ahead: Prefetch[Chunk] = Prefetch(clock.timed("preprocess", cut_into_chunks(prepared, restorer.frames)), depth=2)
    stack.callback(ahead.close)
    return itertools.chain.from_iterable(_diffused(ahead, restorer, clock, part))


def _diffused(
    ahead: Iterable[Chunk], restorer: Restorer | TwoWays, clock: Clock, part: Crop | None
) -> Iterator[list[Frame]]:
    for chunk in ahead:
        with clock.stage("diffuse"):
            frames = restorer(chunk) if part is None else part.paste(chunk.shown, restorer(part.cut(chunk)))
        yield frames
    yield restorer.finish()


def check_growth(grow: int, *, masked: bool) -> None:
    """Raises OptionError for a growth that is none, or of no mask."""
    if grow < 0:
        raise OptionError(f"grow {grow} is out of range: it is pixels around the mask, 0 or more")
    if grow and not masked:
        raise OptionError("there is no mask to grow: pass --mask with --grow")


def _peek(frames: Iterator[Frame], frame_bytes: int) -> tuple[Iterator[Frame], list[Frame]]:
    """The first frames, and all of them."""
    count = max(2, min(_MEASURED, _MEASURED_BYTES // max(frame_bytes, 1)))
    first = list(itertools.islice(frames, count))
    return itertools.chain(first, frames), first


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
