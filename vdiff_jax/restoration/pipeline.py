"""Repairs a video: read, plan, analyse, diffuse, finish, write.

The restorer preprocesses, diffuses and postprocesses each chunk in one compiled function.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vdiff_jax import media
from vdiff_jax.media.threads import prefetched
from vdiff_jax.pixels import Frame
from vdiff_jax.postprocess.feather import Feather, feather_weight
from vdiff_jax.postprocess.strength import Mix
from vdiff_jax.restoration.backend import backend_for, check_backend
from vdiff_jax.restoration.both_directions import BothDirections
from vdiff_jax.restoration.chunk_restorer import ChunkRestorer, Cropped
from vdiff_jax.restoration.colorizer import Colorizer
from vdiff_jax.restoration.extent import Extent, extent_for, extent_from
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.identity import as_json, run_identity
from vdiff_jax.restoration.options import AUTO, Options
from vdiff_jax.restoration.output import output_info, stamped
from vdiff_jax.restoration.preview import SideBySide
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.restoration.segment import WHOLE, Segment
from vdiff_jax.restoration.video import opened, plan_for
from vdiff_jax.restoration.words import plan_text
from vdiff_jax.runtime.allocator import return_freed_memory
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints, frames_between, kept_about, open_checkpoints
from vdiff_jax.runtime.progress import Progress, announce
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.stream.analysis import AnalysedFrame, analyse
from vdiff_jax.stream.cadence import drop_repeats
from vdiff_jax.stream.chunks import cut_into_chunks
from vdiff_jax.stream.context import passed
from vdiff_jax.stream.propagation import propagate
from vdiff_jax.stream.references import attach_references
from vdiff_jax.stream.retiming import retime
from vdiff_jax.stream.small_holes import fill_small_holes
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.weights import identity, load

log = logging.getLogger(__name__)


def repair(
    source: str | Path, target: str | Path, *, progress: Progress = lambda frames: None, **options: Any
) -> dict[str, Any]:
    """Repairs a video from file to file and returns the report.

    Args:
      source: any file, folder or glob that `media.open_reader` takes.
      target: what `media.open_writer` takes.
      progress: is called with the number of frames that are done; a `Listener` also gets the plan.
      **options: the fields of `Options`.

    Raises:
      VdiffError: one of its subclasses, for anything wrong with the input, the options or the output.
    """
    chosen = Options(**options)
    check_backend(chosen.backend)
    media.check_target(target, [source])
    stopwatch = Stopwatch()
    with opened(source, chosen, stopwatch) as video:
        plan = plan_for(video, chosen)
        video.first.clear()  # the footage has them once more
        if video.info.interlaced and plan.tasks:
            log.warning(
                "the video is interlaced, but is treated as progressive: pass --deinterlace to deinterlace it first"
            )
        info = output_info(video.info, plan, video.lead)
        if not plan.tasks and copies(source, target, chosen):
            announce(progress, info.frames, plan_text(video.info, info, plan))
            with stopwatch.stage("write"):
                media.copy_file(source, target)
            return report(stopwatch, info.frames or 0, info, plan) | {"copied": True}
        extent = _extent(target, chosen, plan)
        if extent.tile is not None:
            return_freed_memory()
        checkpoints = _checkpoints(source, target, info, chosen, plan, extent)
        text, footage, beside = plan_text(video.info, info, plan), video.footage, None
        if chosen.preview is not None:
            beside = SideBySide(info, plan.interval)
            footage, info = footage._replace(frames=beside.keep(footage.frames)), beside.info
        encoder = {"codec": chosen.codec, "options": chosen.options, "audio_codec": chosen.audio_codec}
        encoder |= {"noise": plan.noise, "frugal": extent.tile is not None}
        sound = source if chosen.slow is None else None
        with media.open_writer(target, info, copy_from=sound, checkpoints=checkpoints, **encoder) as writer:
            with stopwatch.stage("load"):
                backend = chosen_backend(chosen, plan, info)
                restorer = restorer_for(plan, extent, backend, checkpoints.folder and checkpoints.folder.parent)
            announce(progress, info.frames, text)
            frames = restored_frames(footage, plan, restorer, stopwatch, checkpoints)
            with contextlib.closing(stamped(frames, info, plan, video.lead)) as frames:
                shown = frames if beside is None else beside.pairs(frames)
                count = write(shown, writer, stopwatch, progress, done=checkpoints.begun.frames)
            video.check_masks(chosen.mask)
    return report(stopwatch, count, info, plan, restorer) | {"backend": backend}


_EXTENT = "frames and tiles in memory (--memory), and whether the state is on disk"
"""The name of the extent in what identifies a run."""


def _extent(target: str | Path, options: Options, plan: Plan) -> Extent:
    """The extent of the run that is resumed, whatever is free now; otherwise the largest one that fits."""
    if options.resume and options.memory is None:
        kept = extent_from(kept_about(target).get(_EXTENT))
        if kept is not None:
            return kept
    return extent_for(plan, options.memory)


def _checkpoints(
    source: str | Path, target: str | Path, info: media.VideoInfo, options: Options, plan: Plan, extent: Extent
) -> Checkpoints:
    """The checkpoints of a repair; a preview is too short for any."""
    if options.preview is not None:
        return NO_CHECKPOINTS
    return open_checkpoints(
        str(target),
        identity_of(source, options, plan) | {_EXTENT: list(extent)},
        every=frames_between(info.height, info.width),
        resume=options.resume,
        input_again=str(source) != "-" and str(options.mask) != "-",
    )


def identity_of(source: str | Path, options: Options, plan: Plan) -> dict[str, Any]:
    """What must be the same when a run is resumed, as JSON."""
    given = {
        name: as_json(value)
        for name, value in dataclasses.asdict(options).items()
        if name not in ("resume", "memory", "backend")
    }
    if options.mask not in (None, AUTO):
        given["mask"] = media.fingerprint(options.mask)
    given["reference"] = [media.fingerprint(media.reference_path(name)) or str(name) for name in options.reference]
    weights = {"weights' hash": identity(plan.weights).hex()} if plan.weights else {}
    return {**run_identity("repair", [source]), **given, **weights}


def chosen_backend(options: Options, plan: Plan, info: media.VideoInfo) -> str | None:
    """What runs the network; `None` if no network runs."""
    if not plan.tasks or plan.references is not None:
        return None
    return backend_for(options.backend, load(plan.weights), info.all_pixels)


def copies(source: str | Path, target: str | Path, options: Options) -> bool:
    """Whether the output of a repair that has nothing to do is the input's file, byte for byte."""
    endings = {Path(name).suffix.lower() for name in (source, target)}
    changed = (options.start, options.end, options.codec, options.options)
    fields = options.deinterlace or options.double_rate
    plain = all(option is None for option in changed) and not fields and options.audio_codec == "copy"
    return plain and len(endings) == 1 and Path(source).is_file() and not media.is_folder_target(target)


def restorer_for(
    plan: Plan, extent: Extent | None = None, backend: str | None = None, folder: Path | None = None
) -> ChunkRestorer | None:
    """The restorer for a plan; `None` where nothing is to be done.

    Args:
      plan: what is to be done.
      extent: how much is in memory at once; by default what fits.
      backend: what runs the network, "jax" or "onnx"; by default JAX.
      folder: for temporary files, where memory is short; by default the system's.
    """
    if not plan.tasks:
        return None
    extent = extent or extent_for(plan, None)
    if plan.references is not None:
        return Colorizer(plan.conversion, plan.references, force=plan.force, frames=extent.frames)
    conversion = plan.conversion if plan.crop is None else dataclasses.replace(plan.conversion, size=plan.crop.size)
    options = {**extent._asdict(), "backend": backend or "jax", "folder": folder}
    restorer = Restorer(load(plan.weights), conversion, plan.sigma_of, **options)
    restorer = BothDirections(restorer) if plan.both_directions else restorer
    return restorer if plan.crop is None else Cropped(restorer, plan.crop)


def restored_frames(
    footage: Footage,
    plan: Plan,
    restorer: ChunkRestorer | None,
    stopwatch: Stopwatch | None = None,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
    *,
    segment: Segment = WHOLE,
) -> Iterator[Frame]:
    """Analyses, restores and finishes the frames as planned; they pass unchanged if nothing is to be done.

    Args:
      footage: the frames and their masks.
      plan: what is to be done.
      restorer: from `restorer_for`.
      stopwatch: measures the stages "analyse", "wait" and "diffuse".
      checkpoints: those of an earlier run, if any. Frames that it has restored are analysed again, but not restored.
      segment: the frames to restore, if the footage has others around them.
    """
    if restorer is None:
        return passed(footage.frames, checkpoints)
    done = checkpoints.begun.frames + segment.before
    mix = Mix(plan.strength, footage.pixels, done) if plan.strength != 1 else None
    if mix is not None:
        footage = footage._replace(frames=mix.keep(footage.frames))
    feather = Feather(plan.grow, footage.pixels, done) if plan.grow and plan.holes_only else None
    analysed = analyse_footage(_grown(footage, plan, feather), plan, restorer.multiple, segment)
    frames = diffuse(analysed, restorer, stopwatch or Stopwatch(), checkpoints)
    for step in plan.finish:
        frames = step(frames, plan, checkpoints)
    frames = frames if feather is None else feather.fade(frames)
    return frames if mix is None else mix.mix(frames)


def analyse_footage(footage: Footage, plan: Plan, multiple: int, segment: Segment = WHOLE) -> Iterator[AnalysedFrame]:
    """The frames with everything that the restorer needs: motion, shots, filled holes, references.

    Args:
      footage: the frames and their masks.
      plan: what is to be done.
      multiple: height and width are padded to multiples of this.
      segment: the frames that are analysed.
    """
    analysed = segment.within(analyse(*footage, multiple, scale=plan.conversion.scale))
    analysed = propagate(fill_small_holes(analysed, footage.pixels), footage.pixels)
    if plan.interval is not None:
        analysed = retime(drop_repeats(analysed), plan.interval)
    if plan.references is not None:
        analysed = attach_references(analysed, plan.references, footage.pixels, force=plan.force)
    return analysed


def diffuse(
    analysed: Iterable[AnalysedFrame],
    restorer: ChunkRestorer,
    stopwatch: Stopwatch | None = None,
    checkpoints: Checkpoints = NO_CHECKPOINTS,
) -> Iterator[Frame]:
    """The restored frames. The analysis runs in a thread of its own, unless memory is short."""
    stopwatch = stopwatch or Stopwatch()
    chunks = stopwatch.timed("analyse", cut_into_chunks(analysed, restorer.frames, done=checkpoints.begun.chunks))
    with contextlib.closing(prefetched(chunks, depth=restorer.ahead) if restorer.ahead else chunks) as ahead:
        yield from stopwatch.timed("diffuse", restorer.restore(stopwatch.timed("wait", ahead), checkpoints))


def write(frames: Iterable[Frame], writer: Any, stopwatch: Stopwatch, progress: Progress, *, done: int = 0) -> int:
    """Writes the frames and returns how many there are, with those that an earlier run has written."""
    count = done
    for frame in frames:
        with stopwatch.stage("write"):
            writer.write(frame)
        count += 1
        progress(count)
    return count


def report(
    stopwatch: Stopwatch, count: int, info: media.VideoInfo, plan: Plan, *restorers: ChunkRestorer | None
) -> dict[str, Any]:
    """The report of a run as JSON."""
    parts = [restorer.report() for restorer in restorers if restorer is not None]
    compiling = sum((part.pop("compile_seconds", 0.0) for part in parts), 0.0)
    made = stopwatch.report(count, info.width, info.height, compiling) | {"plan": plan.report()}
    for part in parts:
        made |= part
    return made


def _grown(footage: Footage, plan: Plan, feather: Feather | None) -> Footage:
    """The footage with its masks grown; the feather keeps the source frames, to blend the repaired ones into them."""
    if feather is not None:
        return footage._replace(frames=feather.keep(footage.frames), masks=map(feather.grow, footage.masks))
    if plan.grow:
        return footage._replace(masks=(feather_weight(mask, plan.grow) > 0 for mask in footage.masks))
    return footage
