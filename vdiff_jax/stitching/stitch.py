"""Stitches files or clips: chooses the layout, composes the frames and writes them."""

import contextlib
import dataclasses
import functools
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from vdiff_jax.media import VideoInfo, check_target, loudness, open_writer
from vdiff_jax.runtime.peak_memory import peak_memory_bytes
from vdiff_jax.stitching import joins, learned
from vdiff_jax.stitching.blend import diffuse
from vdiff_jax.stitching.layout import lay_out
from vdiff_jax.stitching.panorama import FillClip, Options, Panorama, in_chunks
from vdiff_jax.stitching.sequence import Film, Interpolate
from vdiff_jax.stitching.source import FileSource, Source, frame_for, open_sources, output_info
from vdiff_jax.weights import load as load_weights


class Stitched(NamedTuple):
    """What `stitch` made: the clip (t h w 3, uint8, RGB; None where it went to a file), its rate, the report."""

    clip: np.ndarray | None
    rate: float
    report: dict[str, Any]


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
    progress: Callable[[int], None] = lambda frames: None,
) -> Stitched:
    """Stitches videos side by side (panorama) or one after another (sequence).

    Args:
      inputs: paths (videos, pictures, folders or globs of pictures), or clips t h w 3, uint8 or float in [0, 1].
      output: where to write; None returns the frames, all in memory.
      layout: "auto", "panorama" or "sequence".
      rates: frames per second of clips that are arrays, 25 if left out.
      calibration: a file that keeps the rig's geometry, offsets and gains; read if it is there, written if not.
      projection: "auto", "planar" or "cylindrical".
      crop: cut the panorama to the largest rectangle that is always seen.
      fill: fill what no camera saw: True by diffusion, or a function of a clip in [0, 1] and a mask, 1 where unseen.
      steady: take the shake out of a panorama whose cameras are carried together. Of cameras that move against each
        other it is always taken out; others keep one geometry unless this is asked for.
      bridge: frames put between clips that don't overlap.
      interpolate: makes them from the last frame, the first frame and their number, instead of what `weights` says.
      weights: "base", or a file: its network fills and bridges; None leaves that to diffusion and optical flow.
      codec: an encoder's name. options: for it.
      report: where to write the report as JSON.
      debug: a folder for pictures of each stage.
      progress: called with the number of frames written so far.

    Raises:
      StitchError: the inputs can't be stitched; names the pair and the reason.
      VdiffError: another of its kinds, for unreadable inputs, an unwritable output, or options that don't fit.
    """
    begun = time.perf_counter()
    sources = open_sources(inputs, rates)
    network = None if weights is None else load_weights(weights)
    filling = None
    if fill:
        classic = in_chunks(diffuse if fill is True else fill)
        filling = classic if network is None or fill is not True else functools.partial(learned.fill, network)
    if interpolate is None:
        interpolate = joins.bridge if network is None else functools.partial(learned.bridge, network)
    wanted = Options(
        projection=projection, crop=crop, fill=filling, steady=steady, calibration=calibration, debug=debug
    )
    made, why = lay_out(sources, layout, wanted, bridge=bridge, interpolate=interpolate)
    prepared = time.perf_counter()
    clip = None
    if output is None:
        clip = np.stack(list(_counted(made.frames(), progress)))
    else:
        _write(made, sources, output, codec, options, progress)
    now = time.perf_counter()
    made.report["frames_per_second"] = made.report["frames"] / max(now - prepared, 1e-9)
    made.report["seconds"]["total"] = now - begun
    made.report["peak_memory_bytes"] = peak_memory_bytes()
    made.report["plan"] = {"layout": made.report["layout"], "why": why}
    if report is not None:
        Path(report).write_text(json.dumps(made.report, indent=1) + "\n")
    return Stitched(clip, made.rate, made.report)


def _counted(frames: Iterator, progress: Callable[[int], None]) -> Iterator:
    for count, frame in enumerate(frames, 1):
        yield frame
        progress(count)


def _write(
    made: Panorama | Film,
    sources: Sequence[Source],
    output: str | os.PathLike,
    codec: str | None,
    options: dict[str, str] | None,
    progress: Callable[[int], None],
) -> None:
    paths = [os.fspath(source.path) for source in sources if isinstance(source, FileSource)]
    check_target(os.fspath(output), paths)
    info = output_info(sources[0], made.size, made.rate)
    with contextlib.ExitStack() as stack:
        sound = _sound(made, sources, stack)
        if isinstance(made, Panorama):
            info = _later(info, float(made.calibration.offsets.max()))
        writer = stack.enter_context(open_writer(output, info, codec=codec, options=options, copy_from=sound))
        for index, frame in enumerate(_counted(made.frames(), progress)):
            writer.write(frame_for(frame, info, index))


def _sound(made: Panorama | Film, sources: Sequence[Source], stack: contextlib.ExitStack) -> str | None:
    """The file whose sound the output takes: the first camera's, or the clips' own one after another."""
    if isinstance(made, Panorama):
        return os.fspath(sources[0].path) if isinstance(sources[0], FileSource) else None
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vdiff_jax_"))
    path = os.path.join(folder, "sound.mka")
    spans = [
        (os.fspath(source.path) if isinstance(source, FileSource) else None, start, stop, gap)
        for source, start, stop, gap in made.spans()
    ]
    return path if loudness.write_soundtrack(path, spans) else None


def _later(info: VideoInfo, seconds: float) -> VideoInfo:
    """A film that begins some seconds into the first input."""
    return dataclasses.replace(info, start=info.start + Fraction(seconds).limit_denominator(90_000))
