"""`vdiff_jax.repair`, for clips in memory and for files. The command line calls `repair_path`.

NumPy, JAX and all that needs them are imported on the first call, so that importing the function takes no time.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vdiff_jax.errors import ClipError
from vdiff_jax.runtime.warning_log import reports_warnings

if TYPE_CHECKING:
    from numpy import ndarray
else:
    ndarray = Any
Number = Fraction | float | int

log = logging.getLogger(__name__)


def repair(
    clip: ndarray | str | Path,
    output: str | Path | None = None,
    *,
    task: str = "auto",
    mask: ndarray | str | Path | None = None,
    grow: int = 0,
    sigma: float | int | None = None,
    slow: Number | None = None,
    scale: Number | None = None,
    size: tuple[int, int] | None = None,
    reference: ndarray | Mapping[int, ndarray] | Sequence[str | Path] = (),
    force: bool = False,
    weights: str = "base",
    both_directions: bool = False,
    strength: float | int = 1,
    **options: Any,
) -> ndarray | dict[str, Any]:
    """Repairs a clip in memory, or a video from path to path.

    Args:
      clip: `t h w c` R'G'B' or grey (c = 3 or 1), uint8, or float in [0, 1] (noise may reach beyond; the result is not
        rounded); or a path, with `output`. A file that `compress` wrote is decompressed if no option is chosen.
      output: where to write, if `clip` is a path.
      task: "auto", "denoise", "deblock", "inpaint", "interpolate", "superres" or "colorize".
      mask: True where the clip is to be filled, `h w` or `t h w`; a path, if `clip` is one.
      grow: pixels around the mask that are filled too, fading out.
      sigma: the noise's standard deviation in 8-bit units; measured if left out.
      slow: how many times slower interpolate makes the clip: 2 makes one frame between any two (2 t - 1 in all).
      scale: how many times larger superres makes the clip, such as 2, 4 or 1.5.
      size: instead of scale: the width and height of superres' output.
      reference: coloured frames for colorize by frame number: `h w 3`, or `h w 4` whose last channel is 1 where it is
        coloured; one alone is frame 0's. For paths, their names, `N:picture` for frame N.
      force: colorize skips its checks that the references match and that the clip is grey.
      weights: "base", "fast" or a file.
      both_directions: the network runs forward and backward in time: better, in about twice the time.
      strength: the share of the result in its mix with the input, from 0 (the input) to 1 (the result).
      **options: for paths, further fields of `restoration.options.Options`, and `progress`, a function that is called
        with the number of frames that are done.

    Returns:
      The repaired clip, of the input's dtype and shape (but for superres, interpolate and colorize); for paths, the
      report.

    Raises:
      ClipError: the array is not a clip.
      VdiffError: another of its subclasses, for anything wrong with the input, the options or the output.
    """
    common = {"task": task, "mask": mask, "grow": grow, "sigma": sigma, "slow": slow, "scale": scale, "size": size}
    common |= {"reference": reference, "force": force, "weights": weights, "both_directions": both_directions}
    common["strength"] = strength
    if isinstance(clip, str | Path):
        if output is None:
            raise ClipError("a path to repair needs a path to write to: pass output")
        return repair_path(clip, output, **common, **options)
    if output is not None or options:
        raise ClipError(f"a clip in memory takes no {'output' if output is not None else ', '.join(options)}")
    from vdiff_jax.restoration.arrays import repair_clip

    return repair_clip(clip, **common)


@reports_warnings
def repair_path(
    source: str | Path, target: str | Path, *, progress: Callable[[int], Any] = lambda frames: None, **options: Any
) -> dict[str, Any]:
    """Repairs a video from path to path; one that `compress` wrote is decompressed, unless other options are chosen.

    Args:
      source, target, progress, options: as `restoration.pipeline.repair` takes them.
    """
    from vdiff_jax import media
    from vdiff_jax.compression import decompress
    from vdiff_jax.restoration import forecast, pipeline
    from vdiff_jax.restoration.options import Options

    chosen = Options(**options)
    if chosen.as_needed and media.read_attachment(source) is not None:
        if chosen.plan:
            why = "compress wrote this file, so it is decompressed"
            return {"plan": {"tasks": ["decompress"], "why": why}, "text": why, "seconds": None, "bytes": None}
        if chosen.audio_codec != "copy":
            log.warning("the sound of a compressed file is copied: run repair on the result to encode it again")
        return decompress(
            source,
            target,
            both_directions=chosen.both_directions,
            progress=progress,
            codec=chosen.codec,
            options=chosen.options,
            resume=chosen.resume,
        )
    if chosen.plan:
        return forecast.forecast(source, target, **options)
    return pipeline.repair(source, target, progress=progress, **options)
