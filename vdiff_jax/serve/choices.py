"""Turns the choices on the page's repair tab into options of `repair`."""

import dataclasses
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vdiff_jax import media
from vdiff_jax.cli.repair_options import QUALITIES
from vdiff_jax.errors import MaskError, OptionError, ReferencePictureError
from vdiff_jax.restoration.options import AUTO, Options
from vdiff_jax.restoration.output import output_info
from vdiff_jax.restoration.video import opened, plan_for
from vdiff_jax.restoration.words import plan_text
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.serve.pictures import painted, write_mask
from vdiff_jax.tasks.request import Number

NO_MASK, PAINTED, LOADED, DAMAGE = "Nothing", "What I paint", "What a mask shows", "Damage of old film"
"""The choices of what to fill: nothing, a painted mask, a loaded mask, or damage that `--mask auto` finds."""
SAME_SIZE = ("auto", "denoise", "deblock", "inpaint")
"""The tasks that take a sigma and a mask."""
ANY_PAINTING = {"layers": [np.array([[[0, 0, 0, 255], [0, 0, 0, 0]]], np.uint8)]}
"""A painting of two pixels for `plan_line`, because the plan does not depend on what is painted."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choices:
    """What was chosen on the page.

    Attributes:
      task: "auto" or a task.
      quality: "fast", "base" or "best".
      sigma: the noise in 8-bit units, as it was typed; empty to measure it.
      scale: how many times larger superres makes the video.
      fps, slow: frames per second, or how many times slower the video plays. `fps` counts if `slow` is 1.
      fill: one of `NO_MASK`, `PAINTED`, `LOADED` and `DAMAGE`.
      mask: a file that was loaded.
      grow: pixels around the mask that are filled too, and fade into the rest.
      reference, number: a coloured picture for colorize, and the frame that it shows.
      editor: the value of the ImageEditor.
    """

    task: str = "auto"
    quality: str = "base"
    sigma: str | None = None
    scale: Number | None = None
    fps: Number | None = None
    slow: Number | None = 1
    fill: str = NO_MASK
    mask: str | None = None
    grow: Number = 0
    reference: str | None = None
    number: Number = 0
    editor: dict[str, Any] | None = None

    @classmethod
    def of(cls, values: Sequence[Any]) -> "Choices":
        """The choices from their values, in the order of the fields."""
        return cls(**{field.name: value for field, value in zip(dataclasses.fields(cls), values, strict=True)})

    def options(self, video: media.VideoInfo, folder: Path) -> dict[str, Any]:
        """The options of `repair`. Choices that do not belong to the task are left out.

        Args:
          video: the video's properties.
          folder: where a painted mask is written.

        Raises:
          MaskError: nothing or everything is painted, or there is no file.
          ReferencePictureError: colorize has no picture.
        """
        options: dict[str, Any] = {"task": self.task, "weights": QUALITIES[self.quality]}
        options["both_directions"] = self.quality == "best"
        if self.task in SAME_SIZE:
            options["sigma"] = _sigma(self.sigma)
        if self.task == "superres":
            options["scale"] = Fraction(self.scale or 2).limit_denominator(100)
        if self.task == "interpolate":
            slow = (self.slow or 1) > 1
            options["slow" if slow else "fps"] = Fraction(self.slow if slow else self.fps or 60).limit_denominator(1001)
        if self.task == "colorize":
            if not self.reference:
                raise ReferencePictureError("there is no coloured picture yet: load a frame that you coloured")
            options["reference"] = [f"{int(self.number)}:{self.reference}"]
        if self.fill != NO_MASK and self.task in SAME_SIZE:
            options |= {"mask": self._mask(video, folder), "grow": int(self.grow or 0)}
        elif self.task == "inpaint":
            raise MaskError("nothing is chosen to be filled: paint it, load a mask, or choose the damage of old film")
        return options

    def _mask(self, video: media.VideoInfo, folder: Path) -> str | Path:
        if self.fill == DAMAGE:
            return AUTO
        if self.fill == PAINTED:
            return write_mask(painted(self.editor, video.displayed_size), folder / "mask.png")
        if not self.mask:
            raise MaskError("there is no mask yet: load a picture or a video, white where it is to be filled")
        return self.mask


def _sigma(text: str | None) -> float | None:
    if not text or not text.strip():
        return None
    try:
        return float(text)
    except ValueError as error:
        raise OptionError(f"noise {text} is not a number: enter one from 0 to 255, or nothing to measure it") from error


def plan_line(video: str | Path, options: dict[str, Any]) -> str:
    """What `repair` measures in a video and would do, in one line.

    Raises:
      VdiffError: one of its subclasses, for anything wrong with the video or the options.
    """
    chosen = Options(**options)
    if chosen.as_needed and media.read_attachment(video) is not None:
        return "compress wrote this file: it is decompressed to higher quality"
    with opened(video, chosen, Stopwatch()) as source:
        plan = plan_for(source, chosen)
        return plan_text(source.info, output_info(source.info, plan, source.lead), plan)
