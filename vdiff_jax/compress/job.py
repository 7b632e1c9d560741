"""How the network takes a compressed video: its change of the decoded picture is taken in part."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from vdiff_jax.media.pixels import PixelFormat
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.planes import Planes
from vdiff_jax.tasks.superres import Enlargement
from vdiff_jax.tasks.video import Given, Job, SameSize


@dataclasses.dataclass(frozen=True, kw_only=True)
class Blend:
    """A job whose result is what was decoded and `gains` times what the network changes of it, cut to a size.

    Attributes:
      inner: deblock's or superres's job.
      gains: of Y', Cb and Cr; 0 leaves the decoded picture, or its bicubic enlargement.
      target: height and width of what is written, at most the inner job's.
    """

    inner: Job
    gains: tuple[float, float, float]
    target: tuple[int, int]

    @property
    def size(self) -> tuple[int, int]:
        return self.inner.size

    @property
    def scale(self) -> int:
        return self.inner.scale

    def written(self) -> tuple[PixelFormat, tuple[int, int]]:
        return self.inner.written()[0], self.target

    def observe(self, given: Given, multiple: int) -> Observation:
        return self.inner.observe(given, multiple)

    def planes(self, given: Given, result: Float[Array, "n hp wp 3"]) -> Planes:
        height, width = (side * self.scale for side in self.size)
        decoded = self.inner.observe(given, 1).values[:-1]
        change = jnp.asarray(self.gains).reshape(1, 1, 1, 3) * (result[:, :height, :width] - decoded).astype(
            jnp.float32
        )
        pixels, _ = self.written()
        shapes = pixels.plane_shapes(*self.target[::-1])
        planes = self.inner.planes(given, decoded + change)
        return tuple(plane[..., :h, :w] for plane, (h, w) in zip(planes, shapes))


def job_of(
    task: str, pixels: PixelFormat, stored: tuple[int, int], size: tuple[int, int], gains: tuple[float, ...]
) -> Blend:
    """The job that makes frames of `size` of those that are stored, height and width each."""
    if task == "superres":
        inner = Enlargement(pixels, stored, 2, (2 * stored[0], 2 * stored[1]))
    else:
        inner = SameSize(pixels, stored)
    return Blend(inner=inner, gains=gains, target=size)
