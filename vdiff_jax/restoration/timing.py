"""The output's rate and times where frames at other times are asked for."""

import dataclasses
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

from vdiff_jax import media
from vdiff_jax.errors import OptionError
from vdiff_jax.pixels import Frame


def retiming(
    task: str,
    info: media.VideoInfo,
    fps: Fraction | float | int | None,
    slow: Fraction | float | int | None,
    lead: Fraction,
) -> tuple[media.VideoInfo, Fraction | None]:
    """What the output's frames are, and the interval between them in the input's time base; `None`: as they come.

    The output's time base holds both its interval and the lead, the seconds before the first frame.

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
    tick = Fraction(1, math.lcm((1 / rate).denominator, lead.denominator))
    return dataclasses.replace(info, rate=rate, time_base=tick, frames=frames), seconds / info.time_base


def stamped(frames: Iterable[Frame], info: media.VideoInfo, lead: Fraction) -> Iterator[Frame]:
    """Frames that are numbered, at the output's times."""
    step = int(1 / (info.rate * info.time_base))
    for frame in frames:
        yield dataclasses.replace(frame, pts=int(lead / info.time_base) + step * frame.pts, duration=step)
