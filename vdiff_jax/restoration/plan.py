"""Decides what a video needs: which tasks, with which sigma, and why."""

import logging
from fractions import Fraction

from vdiff_jax.errors import MaskError, OptionError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.references import Pictures
from vdiff_jax.tasks.colorize import _plan_colorize
from vdiff_jax.tasks.interpolate import _plan_interpolate
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.same_size import _plan_same_size
from vdiff_jax.tasks.superres import _plan_superres

log = logging.getLogger(__name__)

TASKS = ("auto", "denoise", "deblock", "inpaint", "interpolate", "superres", "colorize")


def make_plan(
    task: str,
    frames: list[Frame],
    pixels: PixelFormat,
    *,
    masked: bool,
    sigma: float | int | None,
    weights: str,
    scale: Fraction | float | int | None = None,
    size: tuple[int, int] | None = None,
    references: Pictures | None = None,
    force: bool = False,
    codec: str = "",
    deblocks: bool = False,
) -> Plan:
    """The plan for a video.

    Args:
      task: "auto" or a task.
      frames: some of its first frames, that noise is measured on.
      pixels: what their planes mean.
      masked: a mask is given.
      sigma: the noise in 8-bit units as far as the caller knows it.
      weights: the name of the weights; the plan takes the set that was tuned for its one task, where there is one.
      scale: how many times larger superres is to make it.
      size: the height and width superres is to give it, instead.
      references: pictures of coloured frames, by the frame's number, for colorize.
      force: takes references and a coloured video as they are.
      codec: FFmpeg's name of what the frames were coded with; "" for pictures and arrays.
      deblocks: the weights were trained for it, so that "auto" may.

    Raises:
      OptionError: an unknown task, a sigma outside 0 to 255, a scale or size that isn't offered, colorize without
        references or of a coloured video.
      MaskError: inpaint without a mask.
    """
    if task not in TASKS:
        raise OptionError(f"unknown task {task}: take one of {', '.join(TASKS)}")
    if task == "inpaint" and not masked:
        raise MaskError(
            "inpaint needs to know what to repair: pass --mask with a picture or a video that is white there"
        )
    if sigma is not None and not 0 <= sigma <= 255:
        raise OptionError(f"sigma {sigma} is out of range: it is in 8-bit units, 0 to 255")
    if task == "superres":
        return _plan_superres(frames, pixels, masked=masked, sigma=sigma, weights=weights, scale=scale, size=size)
    if scale is not None or size is not None:
        raise OptionError("a scale and a size are superres's: pass --task superres with them")
    if task == "colorize":
        return _plan_colorize(frames, pixels, references=references, force=force)
    if references:
        raise OptionError("references are colorize's: pass --task colorize with them")
    if task == "interpolate":
        return _plan_interpolate(frames, pixels, weights=weights)
    return _plan_same_size(
        task, frames, pixels, masked=masked, sigma=sigma, weights=weights, codec=codec, deblocks=deblocks
    )
