"""How much of a video is in memory at once: the frames of a chunk, and the rows that the network sees."""

import logging
from typing import Any, NamedTuple

import numpy as np

from vdiff_jax.errors import OptionError
from vdiff_jax.restoration.bands import least_rows
from vdiff_jax.runtime.device_memory import free_memory
from vdiff_jax.tasks.plan import Plan

log = logging.getLogger(__name__)

_CHUNK_PIXELS = 16_000_000
_CHUNK_FRAMES = 8
"""A chunk has at most this many pixels and frames."""
_PROGRAM = 700 << 20
"""Bytes of the program itself, its libraries and what is compiled."""
_FRAME = 240
"""Bytes for each pixel of a frame: the state of the network, and the frames that are decoded, analysed and encoded."""
_CHUNK = 40
"""Bytes for each pixel of a chunk's frames: up to three chunks wait for the network or come from it."""
_NETWORK = 650
"""Bytes for each pixel that the network sees at once."""


class Extent(NamedTuple):
    """The frames of a chunk, and the rows that the network sees at once; `None` for all of a frame."""

    frames: int
    rows: int | None


def extent_from(value: Any) -> Extent | None:
    """The extent in a value that was read from a file; `None` if it holds none."""
    if not (isinstance(value, list) and len(value) == 2):
        return None
    frames, rows = value
    whole = type(frames) is int and 1 <= frames <= _CHUNK_FRAMES and (rows is None or (type(rows) is int and rows > 0))
    return Extent(frames, rows) if whole else None


def extent_for(plan: Plan, memory: int | None) -> Extent:
    """The largest extent that fits.

    Args:
      plan: what is done to the video.
      memory: bytes that may be used; by default what is free, less a margin.

    Raises:
      OptionError: even the smallest extent needs more than what was asked for.
    """
    height, width = plan.job.written()[1] if plan.crop is None else plan.crop.size
    pixels = height * width
    multiple = 16
    in_bands = getattr(plan.job, "scale", 1) == 1 and plan.references is None
    least = min(height, least_rows(multiple)) if in_bands else height
    budget = free_memory() if memory is None else memory
    needed = _needed(pixels, 1, least * width)
    if memory is not None and needed > memory:
        raise OptionError(
            f"memory {memory / 2**30:.3g}GB is too little for {width}x{height}: pass at least "
            f"{np.ceil(needed / 2**30 * 10) / 10:.3g}GB"
        )
    frames = int(np.clip(_CHUNK_PIXELS // pixels, 1, _CHUNK_FRAMES))
    while frames > 1 and _needed(pixels, frames, pixels) > budget:
        frames -= 1
    rows = int((budget - _needed(pixels, frames, 0)) // (_NETWORK * width)) // multiple * multiple
    if rows >= height or not in_bands:
        return Extent(frames, None)
    return Extent(frames, max(rows, least))


def _needed(pixels: int, frames: int, seen: int) -> int:
    """Bytes for frames of some pixels, chunks of some frames, and pixels that the network sees at once."""
    return _PROGRAM + (_FRAME + _CHUNK * frames) * pixels + _NETWORK * seen
