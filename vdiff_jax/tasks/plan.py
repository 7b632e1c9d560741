"""The plan for one video: which tasks, with which expected error and weights, and why."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.runtime.checkpoints import Checkpoints
from vdiff_jax.stream.compression_error import expected_error
from vdiff_jax.stream.crop import Crop
from vdiff_jax.stream.references import Pictures
from vdiff_jax.tasks.video import Conversion

NO_ERROR = np.zeros(3, np.float32)
NO_ERROR.flags.writeable = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be done to a video.

    Attributes:
      tasks: the names of the tasks; none where the video is left as it is.
      weights: the name of the weights; "" where the task needs no network.
      why: the reason, as a sentence for the report.
      conversion: the output's pixel format and size; for the network also how planes are read and written.
      sigma: the expected error of Y', Cb and Cr, in [0, 1]; the mean where it differs from frame to frame.
      sigma_rgb: the given sigma of R'G'B', or else that of white noise with the same luma, in 8-bit units.
      noise: the sigma of the white noise, in 8-bit units, whose removal would leave an error like that of the result.
        The output's default quality depends on it. `None` where the error is larger or unknown.
      codec: the codec whose quantisers predict each frame's expected error; `None` where `sigma` holds for all frames.
      finish: the steps that follow the network, in order.
      grow: pixels around the masks that are filled too, fading out.
      holes_only: samples outside the masks stay unchanged.
      crop: the part of the frames that the network sees, where only holes change; `None` for whole frames.
      interval: time between two output frames, in units of the frames' pts; `None` to keep the frames' times.
      rate: the output's frames per second; `None` for the input's.
      references: coloured pictures (R'G'B' and opacity) by frame number; `None` where nothing is coloured.
      force: colorize skips its checks.
      both_directions: the network runs forward and backward in time, and both results are merged.
      strength: the share of the result in the mix with the input, from 0 to 1.
      suggestions: what else the video shows, each with the option that repairs it.
    """

    tasks: tuple[str, ...]
    weights: str
    why: str
    conversion: Conversion
    sigma: Float[np.ndarray, "3"] = dataclasses.field(default_factory=lambda: NO_ERROR)
    sigma_rgb: float = 0.0
    noise: float | None = None
    codec: str | None = None
    finish: "tuple[Step, ...]" = ()
    grow: int = 0
    holes_only: bool = False
    crop: Crop | None = None
    interval: Fraction | None = None
    rate: Fraction | None = None
    references: Pictures | None = None
    force: bool = False
    both_directions: bool = False
    strength: float | int = 1
    suggestions: tuple[str, ...] = ()

    def sigma_of(self, quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """Each frame's expected error, in [0, 1].

        Args:
          quantisers: of the frames, NaN where the stream does not carry them.
        """
        everywhere = np.broadcast_to(self.sigma, (len(quantisers), 3)).astype(np.float32)
        if self.codec is None:
            return everywhere
        known = np.isfinite(quantisers)[:, None] & (self.sigma > 0)  # a grey video has no chroma
        return np.where(known, expected_error(self.codec, np.nan_to_num(quantisers)), everywhere)

    def sigma_of_planes(self, pixels: PixelFormat) -> Float[np.ndarray, "3"]:
        """The expected error of each plane, in [0, 1]. R', G' and B' get the error that results in luma's."""
        return np.full(3, self.sigma_rgb / 255, np.float32) if pixels.kind == "rgb" else self.sigma

    def report(self) -> dict[str, Any]:
        """The plan as JSON."""
        return {
            "tasks": list(self.tasks),
            "weights": self.weights,
            "sigma": round(self.sigma_rgb, 2),
            "sigma_ycbcr": [round(float(s) * 255, 2) for s in self.sigma],
            "why": self.why,
            "suggestions": list(self.suggestions),
        }


Step = Callable[[Iterable[Frame], Plan, Checkpoints], Iterator[Frame]]
"""A step that follows the network: restored frames in, finished frames out, in the same order."""
