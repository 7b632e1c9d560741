"""The options of `repair`."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from vdiff_jax.errors import OptionError
from vdiff_jax.tasks.request import Number

AUTO = "auto"
"""The mask option that finds old film's damage and reduces its flicker."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """The options of `repair` for files, as the command line and the library take them.

    Attributes:
      task: "auto" or a task.
      mask: white where the video is to be filled: a picture, a video or a folder with one picture for each frame;
        "auto" finds old film's damage.
      grow: pixels around the mask that are filled too, fading out.
      sigma: the noise in 8-bit units; measured if left out.
      fps: the rate that interpolate makes.
      slow: instead of fps: how many times slower interpolate makes the video play.
      scale: how many times larger superres makes the video.
      size: instead of scale: the width and height, as shown, of superres' output.
      deinterlace: deinterlaces the video first.
      double_rate: deinterlaces to one picture for each field, at twice the frame rate.
      reference: coloured pictures for colorize, `N:picture` for frame N.
      force: colorize skips its checks that the references match and that the video is grey.
      weights: a name or a file; for a name, the set tuned for the task is used, if the package has one.
      both_directions: the network runs forward and backward in time: better, in about twice the time.
      strength: the share of the result in its mix with the input, from 0 (the input) to 1 (the result).
      preview: only this many seconds are repaired, and written side by side with the input.
      plan: nothing is written; the report says what would be done, and about how long it would take.
      codec, options: the encoder's name and its own options.
      audio_codec: "copy", "none", or the codec to encode the sound in: aac, opus or flac.
      backend: what runs the network: "jax", "onnx" (ONNX Runtime), or "auto".
      memory: bytes that the run may use; by default the free memory, minus a margin.
      resume: continues an earlier run that was stopped.
      start, stop: seconds; only this part is read, repaired and written.

    Raises:
      OptionError: a growth below 0, or without a mask; a preview of no length.
    """

    task: str = "auto"
    mask: str | Path | None = None
    grow: int = 0
    sigma: float | int | None = None
    fps: Number | None = None
    slow: Number | None = None
    scale: Number | None = None
    size: tuple[int, int] | None = None
    deinterlace: bool = False
    double_rate: bool = False
    reference: Sequence[str | Path] = ()
    force: bool = False
    weights: str = "base"
    both_directions: bool = False
    strength: float | int = 1
    preview: float | int | None = None
    plan: bool = False
    codec: str | None = None
    options: dict[str, str] | None = None
    audio_codec: str = "copy"
    start: float | None = None
    stop: float | None = None
    backend: str = "auto"
    memory: int | None = None
    resume: bool = False

    def __post_init__(self) -> None:
        check_growth(self.grow, masked=self.mask is not None)
        if self.preview is not None and not self.preview > 0:
            raise OptionError(f"a preview of {self.preview:g} seconds is empty: pass more than 0")

    @property
    def end(self) -> float | None:
        """Where reading stops, in seconds; `None` for the end of the video."""
        if self.preview is None:
            return self.stop
        end = float((self.start or 0) + self.preview)
        return end if self.stop is None else min(end, self.stop)

    @property
    def as_needed(self) -> bool:
        """Whether no option but weights and encoder was chosen, so that the plan is automatic."""
        free = {"weights", "both_directions", "codec", "options", "audio_codec", "backend", "memory", "plan", "resume"}
        return all(
            getattr(self, field.name) == field.default for field in dataclasses.fields(self) if field.name not in free
        )


def check_growth(grow: int, *, masked: bool) -> None:
    """Raises OptionError for a growth below 0, or without a mask."""
    if grow < 0:
        raise OptionError(f"grow {grow} is out of range: pass 0 or more pixels around the mask")
    if grow and not masked:
        raise OptionError("there is no mask to grow: pass --mask with --grow")
