"""Stitches files or clips: opens the inputs, chooses the layout, makes the frames, writes them and reports."""

import contextlib
import dataclasses
import functools
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from vdiff_jax.media import VideoInfo, check_target, fingerprint, loudness, open_writer
from vdiff_jax.media.target import folder_beside
from vdiff_jax.restoration.identity import run_identity
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints, frames_between, open_checkpoints
from vdiff_jax.runtime.peak_memory import peak_memory_bytes
from vdiff_jax.runtime.temporary import temporary_folder
from vdiff_jax.runtime.warning_log import reports_warnings
from vdiff_jax.stitching import learned
from vdiff_jax.stitching.blend import fill_by_diffusion
from vdiff_jax.stitching.bridge import flow_bridge
from vdiff_jax.stitching.colour_tags import check_colours
from vdiff_jax.stitching.layout import choose_layout
from vdiff_jax.stitching.losses import lost_in_stitching
from vdiff_jax.stitching.panorama import Fill, FillClip, Panorama, PanoramaOptions, fill_in_chunks
from vdiff_jax.stitching.sequence import ClipSequence, Interpolate
from vdiff_jax.stitching.source import (
    RGB,
    FileSource,
    Source,
    open_sources,
    output_frame,
    output_info,
)
from vdiff_jax.weights import Weights, identity
from vdiff_jax.weights import load as load_weights


class Stitched(NamedTuple):
    """The result of `stitch`.

    Attributes:
      clip: t h w 3, uint8, RGB; None if the frames went to a file.
      rate: frames per second.
      report: what was found and done, as `--report` writes it.
    """

    clip: np.ndarray | None
    rate: float
    report: dict[str, Any]


@reports_warnings
def stitch(
    inputs: Sequence,
    output: str | os.PathLike | None = None,
    *,
    layout: str = "auto",
    rates: Sequence[float] | None = None,
    calibration: str | os.PathLike | None = None,
    projection: str = "auto",
    crop: bool = False,
    fill: bool | FillClip = False,
    steady: bool = False,
    bridge: int = 0,
    interpolate: Interpolate | None = None,
    weights: str | None = None,
    codec: str | None = None,
    options: dict[str, str] | None = None,
    report: str | os.PathLike | None = None,
    debug: str | os.PathLike | None = None,
    resume: bool = False,
    progress: Callable[[int], None] = lambda frames: None,
) -> Stitched:
    """Stitches videos side by side (panorama) or one after another (sequence).

    Args:
      inputs: paths (videos, pictures, folders or globs), or clips t h w 3, uint8 or float in [0, 1].
      output: where to write; None returns all frames in memory.
      layout: "auto", "panorama" or "sequence".
      rates: frames per second of clips that are arrays; the default is 25.
      calibration: a JSON file with the rig's geometry, offsets and gains. It is read if it exists, else written.
      projection: "auto", "planar" or "cylindrical".
      crop: cut the panorama to the largest rectangle that some camera sees at every moment.
      fill: fill unseen pixels: True by diffusion, or a function of a clip in [0, 1] and a mask, 1 where unseen.
      steady: remove the shake of a rig that is carried as a whole; that of other moving rigs is always removed.
      bridge: how many frames to insert between clips that do not overlap.
      interpolate: makes these frames from the last frame, the first frame and their number (default: optical flow).
      weights: "base", "fast" or a file: the network then fills and bridges instead of diffusion and optical flow.
      codec, options: the encoder's name and its options.
      report, debug: where to write the report as JSON, and a folder for pictures of each stage.
      resume: continues an earlier run that was stopped.
      progress: called with the number of frames written so far.

    Raises:
      StitchError: the inputs cannot be stitched; the message names the pair and the reason.
      VdiffError: an unreadable input, an output that cannot be written, or an option out of range.
    """
    begun = time.perf_counter()
    sources = _opened(inputs, rates, output)
    network = None if weights is None else load_weights(weights)
    look = {"projection": projection, "crop": crop, "steady": steady}
    wanted = PanoramaOptions(fill=_choose_fill(fill, network), calibration=calibration, debug=debug, **look)
    more = {"bridge": bridge, "interpolate": interpolate or _choose_interpolation(network)}
    product, why = choose_layout(sources, layout, wanted, **more)
    prepared, encoder = time.perf_counter(), {"codec": codec, "options": options}
    given = {"layout": layout, "fill": bool(fill), "bridge": bridge, "weights": weights} | look | encoder
    checkpoints = _checkpoints(product, sources, output, given | {"calibration": calibration}, resume=resume)
    clip = _write_or_collect(product, sources, output, encoder, progress, checkpoints)
    _finish_report(product.report, why, begun, prepared, report)
    return Stitched(clip, product.rate, product.report)


def _opened(inputs: Sequence, rates: Sequence[float] | None, output: str | os.PathLike | None) -> list[Source]:
    """Opens the inputs, and checks that they can be joined and that the output can be written."""
    sources = open_sources(inputs, rates)
    check_colours(sources)
    if output is not None:
        check_target(output, [source.path for source in sources if isinstance(source, FileSource)])
    return sources


def _checkpoints(
    product: Panorama | ClipSequence,
    sources: Sequence[Source],
    output: str | os.PathLike | None,
    given: dict[str, Any],
    *,
    resume: bool,
) -> Checkpoints:
    """The checkpoints of a run that writes `output`."""
    # What the network fills depends on all frames before, whose state is not kept.
    if output is None or (given["fill"] and given["weights"] is not None and isinstance(product, Panorama)):
        return NO_CHECKPOINTS
    paths = [source.path if isinstance(source, FileSource) else "-" for source in sources]
    about, (width, height) = run_identity("stitch", paths) | given, product.size
    about["weights' hash"] = None if given["weights"] is None else identity(given["weights"]).hex()
    if (calibration := given["calibration"]) is not None:  # only a panorama reads it, or has written it by now
        about["calibration"] = fingerprint(calibration) if isinstance(product, Panorama) else os.fspath(calibration)
    every = frames_between(height, width)
    return open_checkpoints(os.fspath(output), about, every=every, resume=resume, input_again="-" not in paths)


def _choose_fill(fill: bool | FillClip, network: Weights | None) -> Fill | None:
    """The function that fills unseen pixels: the caller's, the network's, or diffusion; None if nothing is filled."""
    if not fill:
        return None
    if fill is not True:
        return fill_in_chunks(fill)
    return fill_in_chunks(fill_by_diffusion) if network is None else functools.partial(learned.fill, network)


def _choose_interpolation(network: Weights | None) -> Interpolate:
    return flow_bridge if network is None else functools.partial(learned.bridge, network)


def _counted(frames: Iterator[RGB], progress: Callable[[int], None], done: int = 0) -> Iterator[RGB]:
    for count, frame in enumerate(frames, done + 1):
        yield frame
        progress(count)


def _finish_report(
    report: dict[str, Any], why: str, begun: float, prepared: float, path: str | os.PathLike | None
) -> None:
    """Adds speed, total time, peak memory and the reason for the layout; writes the report if a path is given."""
    now = time.perf_counter()
    report["frames_per_second"] = report["frames"] / max(now - prepared, 1e-9)
    report["seconds"]["total"] = now - begun
    report["peak_memory_bytes"] = peak_memory_bytes()
    report["plan"] = {"layout": report["layout"], "why": why}
    if path is not None:
        Path(path).write_text(json.dumps(report, indent=1) + "\n")


def _write_or_collect(
    product: Panorama | ClipSequence,
    sources: Sequence[Source],
    output: str | os.PathLike | None,
    encoder: dict[str, Any],
    progress: Callable[[int], None],
    checkpoints: Checkpoints,
) -> UInt8[np.ndarray, "t h w 3"] | None:
    """Writes the frames and the sound to a file; returns the frames if there is none."""
    if output is None:
        return np.stack(list(_counted(product.frames(checkpoints), progress)))
    info, wide = output_info(sources, product.size, product.rate), isinstance(product, Panorama)
    with contextlib.ExitStack() as stack:
        if wide:
            copied = _heard(sources)
            info, tracks = _with_times_of(info, sources, product, copied)
        else:  # the soundtrack starts at 0, whatever time the first clip's clock shows
            copied, tracks = None, _soundtrack(product, output, stack)
            info = dataclasses.replace(info, start=Fraction(0))
        more = {"checkpoints": checkpoints, "lost_before": lost_in_stitching(sources, copied)}
        writer = stack.enter_context(open_writer(output, info, copy_from=tracks, **more, **encoder))
        done = checkpoints.begun.frames
        for index, frame in enumerate(_counted(product.frames(checkpoints), progress, done), start=done):
            writer.write(output_frame(frame, info, index, product.seconds(index) if wide else None))
    return None


def _heard(sources: Sequence[Source]) -> int:
    """The number of the input whose sound and other tracks a panorama gets: the first one that has sound."""
    files = [(index, source) for index, source in enumerate(sources) if isinstance(source, FileSource)]
    first = files[0][0] if files else 0
    return next((index for index, source in files if source.info.has_audio), first)


def _with_times_of(
    info: VideoInfo, sources: Sequence[Source], panorama: Panorama, copied: int
) -> tuple[VideoInfo, str | None]:
    """A panorama's description with the first input's unit of time, and the file whose tracks it gets, with its part.

    Args:
      info: the panorama's description.
      sources: the inputs.
      panorama: the panorama.
      copied: the number of the input whose tracks it gets.
    """
    first, heard = sources[0], sources[copied]
    if isinstance(first, FileSource):
        info = dataclasses.replace(info, time_base=first.info.time_base)
    if not isinstance(heard, FileSource):
        return info, None
    start, stop = (
        None if each is None else heard.info.start + Fraction(each).limit_denominator(90_000)
        for each in panorama.sound_span(copied)
    )
    return dataclasses.replace(info, start=start, stop=stop, audio_lead=heard.info.audio_lead), os.fspath(heard.path)


def _soundtrack(sequence: ClipSequence, output: str | os.PathLike, stack: contextlib.ExitStack) -> str | None:
    """A file with all clips' sound in turn, beside the output or, for stdout, a temporary one; None without sound."""
    folder = stack.enter_context(temporary_folder() if output == "-" else folder_beside(output))
    path = os.path.join(folder, "sound.mka")
    spans = [
        (os.fspath(source.path) if isinstance(source, FileSource) else None, start, stop, gap)
        for source, start, stop, gap in sequence.sound_spans()
    ]
    return path if loudness.write_soundtrack(path, spans) else None
