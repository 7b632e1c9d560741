"""The plan for one video: which tasks, with which expected error and weights, and why."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.stream.compression_error import expected_error
from vdiff_jax.stream.references import Pictures
from vdiff_jax.tasks.video import Job


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be done to a video.

    Attributes:
      tasks: the tasks, in the table's words; none where the video is left as it is.
      weights: the name of the weights; "" where the network has no part.
      sigma: the expected error of Y', Cb and Cr, in levels; its mean where it differs from frame to frame.
      sigma_rgb: the same as one figure, that of white R'G'B' noise, in 8-bit units.
      why: a sentence for people.
      job: how the tasks take the video.
      references: pictures, R'G'B' and opacity, that give some frames their colours, by the frame's number; `None` where
        nothing is to be coloured.
      force: the references are taken as they are.
      codec: whose quantisers tell each frame's error; None where `sigma` is that of all.
    """

    tasks: tuple[str, ...]
    weights: str
    sigma: Float[np.ndarray, "3"]
    sigma_rgb: float
    why: str
    job: Job
    references: Pictures | None = None
    force: bool = False
    codec: str | None = None

    def sigma_of(self, quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """Each frame's expected error; its quantiser is NaN where the stream doesn't tell."""
        everywhere = np.broadcast_to(self.sigma, (len(quantisers), 3)).astype(np.float32)
        if self.codec is None:
            return everywhere
        told = np.isfinite(quantisers)[:, None] & (self.sigma > 0)  # a grey video has no chroma
        return np.where(told, expected_error(self.codec, np.nan_to_num(quantisers)), everywhere)

    def sigma_of_planes(self, pixels: PixelFormat) -> Float[np.ndarray, "3"]:
        """The expected error of each plane, in levels: R', G' and B' each have as much as makes luma's."""
        return np.full(3, self.sigma_rgb / 255, np.float32) if pixels.kind == "rgb" else self.sigma

    def report(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "tasks": list(self.tasks),
            "weights": self.weights,
            "sigma": round(self.sigma_rgb, 2),
            "sigma_ycbcr": [round(float(s) * 255, 2) for s in self.sigma],
            "why": self.why,
        }
