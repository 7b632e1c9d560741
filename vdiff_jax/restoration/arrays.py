"""The library's door for arrays: clips in memory in, clips in memory out."""

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from vdiff_jax.errors import ClipError, MaskError, OptionError, ReferencePictureError
from vdiff_jax.media import check_reference
from vdiff_jax.media.arrays import check_clip
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.pipeline import check_growth, repair_frames
from vdiff_jax.restoration.pipeline import repair as repair_file
from vdiff_jax.restoration.plan import make_plan

Reference = np.ndarray | Mapping[int, np.ndarray]


def repair(
    clip: np.ndarray | str | Path,
    output: str | Path | None = None,
    *,
    task: str = "auto",
    mask: np.ndarray | str | Path | None = None,
    grow: int = 0,
    sigma: float | int | None = None,
    slow: Fraction | float | int | None = None,
    scale: Fraction | float | int | None = None,
    size: tuple[int, int] | None = None,
    reference: Reference | Sequence[str | Path] = (),
    force: bool = False,
    weights: str = "base",
    **keywords,
) -> np.ndarray | dict:
    """Repairs a clip in memory, or from path to path.

    Args:
      clip: `t h w c` R'G'B' or grey (c = 3 or 1), uint8, or float in [0, 1] (noise may reach beyond; the result is not
        rounded); or a path, with `output`.
      output: where to write, if `clip` is a path.
      task: "auto", "denoise", "deblock", "inpaint", "interpolate", "superres" or "colorize".
      mask: True where the clip is to be filled: `h w`, or `t h w`; a path, if `clip` is one.
      grow: pixels around the mask that are filled too, fading out.
      sigma: the noise's standard deviation in 8-bit units; measured if left out.
      slow: for interpolate, how many times slower: 2 makes one frame between any two (2 t - 1 in all).
      scale: how many times larger superres makes the clip, such as 2, 4 or 1.5.
      size: the width and height that superres gives it instead.
      reference: coloured frames for colorize, by their numbers: `h w 3`, or `h w 4` whose last channel says where it
        is coloured; one alone is frame 0's. For paths, their names.
      force: takes references and a coloured clip as they are.
      weights: "base", "fast" or a file.
      **keywords: more of `pipeline.repair`, for paths.

    Returns:
      The repaired clip, of the input's dtype and, but for superres and colorize, shape; for paths, the report.

    Raises:
      ClipError: an array that is no clip.
      OptionError: interpolate without `slow`, or `slow` without interpolate.
      MaskError: a mask that does not fit.
      VdiffError: one of its other kinds.
    """
    if isinstance(clip, str | Path):
        if output is None:
            raise ClipError("a path to repair needs a path to write to: pass output")
        given = {"task": task, "mask": mask, "sigma": sigma, "scale": scale, "size": size, "weights": weights}
        given |= {"reference": reference, "force": force, "slow": slow, "grow": grow}
        return repair_file(clip, output, **given, **keywords)
    if output is not None or keywords:
        raise ClipError(f"for an array there is no {'output' if output is not None else ', '.join(keywords)}")
    clip = np.asarray(clip)
    check_clip(clip)
    pixels = PixelFormat(kind="rgb" if clip.shape[-1] == 3 else "gray", full_range=True)
    frames = [Frame(tuple(np.moveaxis(frame, -1, 0)), n) for n, frame in enumerate(clip)]
    masks, holes = (itertools.repeat(None), None) if mask is None else _masks(np.asarray(mask), clip.shape)
    check_growth(grow, masked=mask is not None)
    wanted = {"scale": scale, "size": size and size[::-1], "force": force}
    wanted["references"] = _references(reference, clip.shape)
    plan = make_plan(task, frames[:24], pixels, masked=mask is not None, sigma=sigma, weights=weights, **wanted)
    if (slow is None) == (task == "interpolate") or (slow is not None and slow <= 1):
        raise OptionError(f"slow={slow} with task {task}: interpolate takes a number above 1, no other task takes any")
    interval = None if slow is None else 1 / Fraction(slow).limit_denominator(1001)
    restored = repair_frames(frames, masks, pixels, plan, interval, grow=grow, holes=holes)
    return np.stack([np.stack(frame.planes, axis=-1) for frame in restored])


def _references(reference: Reference | Sequence, shape: tuple[int, ...]) -> dict[int, np.ndarray]:
    pictures = reference if isinstance(reference, Mapping) else {0: reference} if len(reference) else {}
    late = [number for number in pictures if not 0 <= number < shape[0]]
    if late:
        raise ReferencePictureError(f"there is a reference for frame {late[0]}, but there are {shape[0]} frames")
    return {n: check_reference(np.asarray(p), shape[1:3], f"for frame {n}") for n, p in pictures.items()}


def _masks(mask: np.ndarray, shape: tuple[int, ...]):
    """The masks of the frames, and where any of them hides something."""
    if mask.shape not in (shape[1:3], shape[:3]):
        raise MaskError(f"the mask's shape {mask.shape} fits neither one frame {shape[1:3]} nor the clip {shape[:3]}")
    if mask.all():
        raise MaskError("the mask is True everywhere: nothing is left to repair the clip from")
    mask = mask.astype(bool)
    return (itertools.repeat(mask), mask) if mask.ndim == 2 else (iter(mask), mask.any(axis=0))
