"""Colorize: gives a grey video the colours of reference pictures, without a network."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from vdiff_jax.errors import OptionError
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.planes import planes_of_clip
from vdiff_jax.preprocess.planes import Planes, clip_of_planes
from vdiff_jax.stream.references import has_colours
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request
from vdiff_jax.tasks.task import Task


@dataclasses.dataclass(frozen=True)
class Colouring:
    """How colorize converts a video: luma is kept, chroma is replaced, and a grey pixel format becomes R'G'B'."""

    pixels: PixelFormat
    size: tuple[int, int]
    scale: int = 1

    def written(self) -> tuple[PixelFormat, tuple[int, int]]:
        if self.pixels.kind != "gray":
            return self.pixels, self.size
        return dataclasses.replace(self.pixels, kind="rgb", full_range=True), self.size


def coloured_planes(conversion: Colouring, source: Planes, chroma: Float[Array, "*b h w 2"]) -> Planes:
    """The source's planes with new chroma (Cb, Cr in [0, 1]); luma is unchanged."""
    pixels, size = conversion.written()
    luma = clip_of_planes(source, conversion.pixels, 1)[..., :1]
    clip = jnp.concatenate([luma, chroma], axis=-1)
    colours = planes_of_clip(clip, pixels, size, dtype=source[0].dtype)
    kept = source[:1] if pixels.kind == "yuv" else ()
    return (*kept, *colours[len(kept) :], *(source[-1:] if pixels.alpha else ()))


def plan(request: Request) -> Plan:
    """Plans to give a grey video the colours of reference pictures.

    Raises:
      OptionError: no reference, or a video that has colours.
    """
    if not request.references:
        raise OptionError("colorize needs a coloured frame: pass --reference PICTURE, or N:PICTURE for frame N")
    if not request.force and has_colours(request.frames, request.pixels):
        raise OptionError("the video has colours already: pass --force to replace them")
    return Plan(
        tasks=("colorize",),
        weights="",
        why=f"references were given for {len(request.references)} of the frames; colours follow the optical flow, then "
        "diffuse, without the network",
        conversion=Colouring(request.pixels, request.shape),
        grow=request.grow,
        references=request.references,
        force=request.force,
    )


TASK = Task(name="colorize", plan=plan, options=frozenset({"references"}))
