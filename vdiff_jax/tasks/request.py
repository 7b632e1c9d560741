"""What a user asks for, and what is known of the video before it is repaired."""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.references import Pictures

Number = Fraction | float | int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What the `plan` of a task decides from.

    Attributes:
      frames: the video's first frames, on which noise is measured.
      pixels: their pixel format.
      codec: FFmpeg's name of the codec that the frames were decoded from; "" for pictures and arrays.
      rate: the video's frames per second.
      time_base: seconds for one unit of the frames' pts.
      masked: a mask was given.
      grow: pixels around the mask that are filled too, fading out.
      sigma: the noise in 8-bit units; `None` to measure it.
      weights: the name of the weights; if the package has a set tuned for the task, the plan uses that set.
      scale: how many times larger superres makes the video.
      size: instead of scale: the height and width of superres' output.
      fps: the rate that interpolate makes.
      slow: instead of fps: how many times slower interpolate makes the video play.
      references: coloured pictures by frame number, for colorize.
      force: colorize skips its checks that the references match and that the video is grey.
      both_directions: the network is to run forward and backward in time.
      strength: the share of the result in the mix with the input, from 0 to 1.
    """

    frames: Sequence[Frame]
    pixels: PixelFormat
    codec: str = ""
    rate: Fraction = Fraction(1)
    time_base: Fraction = Fraction(1)
    masked: bool = False
    grow: int = 0
    sigma: float | int | None = None
    weights: str = "base"
    scale: Number | None = None
    size: tuple[int, int] | None = None
    fps: Number | None = None
    slow: Number | None = None
    references: Pictures | None = None
    force: bool = False
    both_directions: bool = False
    strength: float | int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """The frames' height and width."""
        return self.frames[0].planes[0].shape
