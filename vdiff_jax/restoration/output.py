"""The properties of the output video and the times of its frames."""

import dataclasses
import logging
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

from vdiff_jax import media
from vdiff_jax.pixels import Frame
from vdiff_jax.tasks.plan import Plan

log = logging.getLogger(__name__)


def output_info(info: media.VideoInfo, plan: Plan, lead: Fraction) -> media.VideoInfo:
    """The output's properties.

    Args:
      info: the input's.
      plan: what is done to it.
      lead: seconds before the first frame; the output's time base can hold it.
    """
    info = _resized(info, plan)
    if plan.interval is None or plan.rate is None:
        return info
    seconds = plan.interval * info.time_base
    frames = info.frames and int((info.frames - 1) / (info.rate * seconds)) + 1
    tick = Fraction(1, math.lcm((1 / plan.rate).denominator, lead.denominator))
    return dataclasses.replace(info, rate=plan.rate, time_base=tick, frames=frames)


def stamped(frames: Iterable[Frame], info: media.VideoInfo, plan: Plan, lead: Fraction) -> Iterator[Frame]:
    """The frames with the output's time stamps; unchanged if the plan keeps the input's times."""
    if plan.interval is None:
        yield from frames
        return
    step = int(1 / (info.rate * info.time_base))
    for frame in frames:
        yield dataclasses.replace(frame, pts=int(lead / info.time_base) + step * frame.pts, duration=step)


def stored_size(size: tuple[int, int] | None, info: media.VideoInfo) -> tuple[int, int] | None:
    """Height and width of the stored pictures, from the width and height that a player shows."""
    if size is None:
        return None
    return size if info.rotation in (90, 270) else size[::-1]


def _resized(info: media.VideoInfo, plan: Plan) -> media.VideoInfo:
    """The properties in the output's size. Where that would stretch the picture, the sample aspect ratio changes."""
    pixels, (height, width) = plan.conversion.written()
    if (height, width) == (info.height, info.width):
        return dataclasses.replace(info, pixels=pixels)
    aspect, stretch = info.sample_aspect, Fraction(info.width * height, info.height * width)
    if abs(stretch - 1) > 0.01:  # below that, a side was rounded
        aspect = ((aspect or 1) * stretch).limit_denominator(1000)
    if aspect not in (None, 1):
        log.warning(
            "pixels are not square: the sample aspect ratio was %s, and is %s now", info.sample_aspect or 1, aspect
        )
    return dataclasses.replace(info, pixels=pixels, width=width, height=height, sample_aspect=aspect, interlaced=False)
