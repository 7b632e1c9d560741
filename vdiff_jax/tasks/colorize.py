"""Colorize: luma is known everywhere, chroma in the frames that someone coloured."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from vdiff_jax.errors import OptionError
from vdiff_jax.observation import Observation
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.planes import planes_of_clip
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.preprocess.planes import Planes, clip_of_planes
from vdiff_jax.stream.references import Pictures, has_colours
from vdiff_jax.tasks import denoise
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.task import Task


def observe(clip: Float[Array, "t h w 3"], coloured: Bool[Array, " t"]) -> Observation:
    """A Y'CbCr clip whose chroma is known in the coloured frames only."""
    observation = denoise.observe(clip, jnp.zeros(3))
    chroma = coloured.astype(jnp.float32).reshape(-1, 1, 1, 1)
    known = jnp.concatenate([observation.known[..., :1], observation.known[..., 1:] * chroma], axis=-1)
    return dataclasses.replace(observation, known=known, values=clip * known)


@dataclasses.dataclass(frozen=True)
class Colouring:
    """A video whose luma stays, and whose chroma is made; grey ones become R'G'B'."""

    pixels: PixelFormat
    size: tuple[int, int]
    scale: int = 1

    def written(self) -> tuple[PixelFormat, tuple[int, int]]:
        if self.pixels.kind != "gray":
            return self.pixels, self.size
        return dataclasses.replace(self.pixels, kind="rgb", full_range=True), self.size


def coloured_planes(job: Colouring, source: Planes, chroma: Float[Array, "*b h w 2"]) -> Planes:
    """The source's planes with other chroma (levels); its luma is the very same."""
    pixels, size = job.written()
    luma = clip_of_planes(source, job.pixels, 1)[..., :1]
    clip = jnp.concatenate([luma, chroma], axis=-1)
    colours = planes_of_clip(clip, pixels, size, dtype=source[0].dtype)
    kept = source[:1] if pixels.kind == "yuv" else ()
    return (*kept, *colours[len(kept) :], *(source[-1:] if pixels.alpha else ()))


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """The first frame keeps its colours, or any one, or any two."""
    kind_key, frame_key = jax.random.split(key)
    count = clip.shape[0]
    kind = jax.random.randint(kind_key, (), 0, 4)  # two times out of four the first
    chosen = jnp.where(kind < 2, 0, jax.random.randint(frame_key, (2,), 0, count))
    chosen = jnp.where(kind == 2, chosen[0], chosen)
    return observe(rgb_to_ycbcr(clip), jnp.any(jnp.arange(count)[:, None] == chosen[None], axis=1))


TASK = Task(name="colorize", corrupt=corrupt)


def _plan_colorize(frames: list[Frame], pixels: PixelFormat, *, references: Pictures | None, force: bool) -> Plan:
    if not references:
        raise OptionError("colorize needs a coloured frame: pass --reference PICTURE, or N:PICTURE for frame N")
    if not force and has_colours(frames, pixels):
        raise OptionError("the video has colours already: pass --force to have them replaced")
    return Plan(
        tasks=("colorize",),
        weights="",
        sigma=np.zeros(3, np.float32),
        sigma_rgb=0.0,
        why=f"references were given for {len(references)} of the frames, carried and spread without the network",
        job=Colouring(pixels, frames[0].planes[0].shape),
        references=references,
        force=force,
    )
