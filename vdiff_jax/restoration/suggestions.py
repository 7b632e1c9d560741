"""Suggests options for what the first frames show, such as old film or missing colours."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vdiff_jax.media import VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.options import Options
from vdiff_jax.stream import findings
from vdiff_jax.stream.references import has_colours
from vdiff_jax.stream.samples import luma_of

_FEWEST = 3
"""With fewer frames nothing is suggested."""
_SMALLEST = 48
"""Nor for pictures with a shorter side, in pixels."""


class _Lumas(Sequence[Float[np.ndarray, "h w"]]):
    """The luma of frames; none stays in memory."""

    def __init__(self, frames: Sequence[Frame], pixels: PixelFormat):
        self._frames, self._pixels = frames, pixels

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index):
        return luma_of(self._frames[index], self._pixels)


def suggestions(frames: Sequence[Frame], info: VideoInfo, options: Options, *, warned: bool = False) -> tuple[str, ...]:
    """Suggestions for what the first frames show and no given option repairs; none unless the task is "auto".

    Args:
      frames: the video's first frames.
      info: its properties.
      options: the given options.
      warned: whether another warning already names interlaced video.
    """
    if options.task != "auto" or len(frames) < _FEWEST or min(info.width, info.height) < _SMALLEST:
        return ()
    pixels = info.pixels
    lumas = _Lumas(frames, pixels)
    found = []
    if not (options.deinterlace or options.double_rate or warned) and findings.is_combed(lumas):
        found.append("moving edges look like combs, as in interlaced video: add --deinterlace")
    if options.mask is None and findings.is_old_film(frames, pixels):
        found.append("it looks like old film: add --mask auto to fill dust and scratches and to reduce flicker")
    if not options.reference and findings.is_grey(frames, pixels) and not has_colours(frames[:_FEWEST], pixels):
        found.append("it has no colours: colour its first frame, and add --reference 0:PICTURE with it")
    if options.fps is None and options.slow is None and (each := findings.repeats(lumas)) > 1:
        rate = info.rate.limit_denominator(1001)
        rate = rate if rate >= info.rate else math.ceil(info.rate)
        found.append(f"one of {each} frames repeats the one before: add --fps {rate} to make the motion even")
    black = 0.0 if pixels.full_range or pixels.kind == "rgb" else 16 / 255
    if any(bars := findings.black_bars(lumas, black)):
        sides = [f"{n} {lines}" for n, lines in zip(bars, ("rows above", "below", "columns left", "right")) if n]
        found.append(f"there are black bars ({', '.join(sides)}): they are kept")
    return tuple(found)
