"""Opens a video to repair, with its masks, and plans the repair."""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from vdiff_jax import media
from vdiff_jax.errors import MaskError
from vdiff_jax.media.video import each_once
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.options import AUTO, Options
from vdiff_jax.restoration.output import stored_size
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.restoration.suggestions import suggestions
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.stream.crop import Crop
from vdiff_jax.stream.film import frames_and_damage
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request
from vdiff_jax.weights import load

FIRST_FRAMES = 24
"""Frames at the start on which noise is measured."""
_FIRST_BYTES = 256 << 20


class Video(NamedTuple):
    """An open video.

    Attributes:
      info: its properties.
      footage: all its frames, with their masks.
      first: its first frames, which `footage` has too, to make the plan from.
      lead: seconds before the first frame.
    """

    info: media.VideoInfo
    footage: Footage
    first: list[Frame]
    lead: Fraction

    def check_masks(self, name: object) -> None:
        """Raises MaskError where a mask video turned out to hide every pixel of every frame."""
        if isinstance(self.footage.masks, media.MovingMask) and self.footage.masks.all_white:
            raise MaskError(
                f"the mask {name} is white everywhere in all frames: nothing is left to repair the video from"
            )


@contextlib.contextmanager
def opened(source: str | Path, options: Options, stopwatch: Stopwatch, *, at: int | None = None) -> Iterator[Video]:
    """Opens the video during the `with` block. With `at`, its frames start at this pts.

    Raises:
      InputError: the video cannot be read.
      MaskError: a mask that does not fit, or that is black or white everywhere.
    """
    fields = {"deinterlace": options.deinterlace, "double_rate": options.double_rate, "written": True}
    with media.open_reader(source, start=options.start, stop=options.end, at=at, **fields) as reader:
        info = reader.info
        frames = stopwatch.timed("read", reader)
        count = max(2, min(FIRST_FRAMES, _FIRST_BYTES // max(info.frame_bytes, 1)))
        first = list(itertools.islice(frames, count))
        frames = itertools.chain(each_once(list(first)), frames)
        lead = first[0].pts * info.time_base if options.slow is None else Fraction(0)
        with _masks(options.mask, info, options.start) as masks:
            if options.mask == AUTO:
                frames, masks = frames_and_damage(frames, info.pixels)
            elif isinstance(masks, media.MovingMask):
                frames = masks.following(frames)
            yield Video(info, Footage(frames, masks, info.pixels), first, lead)


def plan_for(video: Video, options: Options) -> Plan:
    """The plan for the video.

    Raises:
      OptionError, MaskError, ReferencePictureError: as `make_plan` and `media.read_references`.
    """
    info, mask = video.info, options.mask
    request = Request(
        frames=video.first,
        pixels=info.pixels,
        codec=info.codec,
        rate=info.rate,
        time_base=info.time_base,
        masked=mask is not None,
        grow=options.grow,
        sigma=options.sigma,
        weights=options.weights,
        both_directions=options.both_directions,
        strength=options.strength,
        scale=options.scale,
        size=stored_size(options.size, info),
        fps=options.fps,
        slow=options.slow,
        references=media.read_references(options.reference, info) or None,
        force=options.force,
    )
    plan = make_plan(options.task, request)
    warned = info.interlaced and bool(plan.tasks)
    found = suggestions(video.first, info, options, warned=warned)
    plan = dataclasses.replace(plan, suggestions=plan.suggestions + found)
    if not plan.holes_only or mask in (AUTO, "-") or options.end is not None:
        return plan
    return cropped(plan, media.mask_union(mask, info, start=options.start), info.pixels)


def cropped(plan: Plan, holes: Bool[np.ndarray, "h w"] | None, pixels: PixelFormat) -> Plan:
    """The plan with a crop to the part of the frames that the holes depend on, if only holes change.

    Args:
      plan: for whole frames.
      holes: where any frame has a hole; `None` if that is not known.
      pixels: the frames' format.
    """
    if not plan.holes_only or holes is None:
        return plan
    config = load(plan.weights).config
    crop = Crop.around(holes, pixels, margin=config.cell * config.halo + plan.grow, multiple=config.multiple)
    return dataclasses.replace(plan, crop=crop)


@contextlib.contextmanager
def _masks(mask: str | Path | None, info: media.VideoInfo, start: float | None):
    """The masks of all frames; `None` for each frame if there is no mask or `auto` has yet to find it."""
    if mask is None or mask == AUTO:
        yield itertools.repeat(None)
        return
    read = media.read_mask(mask, info, start=start)
    if isinstance(read, media.MovingMask):
        with read:
            yield read
        return
    if not read.any():
        raise MaskError(f"the mask {mask} is black everywhere: white says what to repair")
    if read.all():
        raise MaskError(f"the mask {mask} is white everywhere: nothing is left to repair the video from")
    yield itertools.repeat(read)
