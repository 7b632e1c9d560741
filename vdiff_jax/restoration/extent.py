"""How much of a video is in memory at once: the frames of a chunk, and the tile that the network sees."""

import logging
from typing import Any, NamedTuple

import numpy as np

from vdiff_jax.errors import OptionError
from vdiff_jax.restoration.colorizer import HELD_BYTES
from vdiff_jax.restoration.tiles import carry_bytes, least_side
from vdiff_jax.runtime.device_memory import free_memory, machine_memory
from vdiff_jax.stream.chunks import MOST_FRAMES, chunk_frames
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.weights import load

log = logging.getLogger(__name__)

_PROGRAM = 800 << 20
"""Bytes of the program itself, its libraries and what is compiled."""
_FRAME = 240
"""Bytes for each pixel of a frame: frames while they are decoded, analysed, finished or encoded, and the carry."""
_CHUNK = 25
"""Bytes for each pixel of a chunk's frames. Up to three chunks are in memory, before, in or after the network."""
_FRAME_IN_TILES = 100
"""`_FRAME` for tiles, without the carry. No chunk is queued then, and the encoder looks at fewer frames at a time."""
_LARGEST = 2048
"""The largest side of a tile."""
_NETWORK = 650
"""Bytes for each pixel that the network sees at once."""
_COLOURS = 65
"""Bytes for each pixel of a frame that is coloured, beside the frames that wait for the next reference."""


class Extent(NamedTuple):
    """How much of a video is in memory at once.

    Attributes:
      frames: of a chunk.
      tile: the side of the tiles that the network sees at once; `None` for whole frames.
      on_disk: whether the carry is kept in temporary files.
    """

    frames: int
    tile: int | None
    on_disk: bool = False


def extent_from(value: Any) -> Extent | None:
    """The extent in a value that was read from a JSON file; `None` if the value is not an extent."""
    if not (isinstance(value, list) and len(value) == 3):
        return None
    frames, tile, on_disk = value
    whole = type(frames) is int and 1 <= frames <= MOST_FRAMES and type(on_disk) is bool
    whole = whole and (tile is None or (type(tile) is int and tile >= least_side(1)))
    return Extent(frames, tile, on_disk) if whole else None


def _text(memory: int) -> str:
    """A number of bytes as one would type it."""
    unit, name = max((unit, name) for unit, name in ((1, ""), (2**20, "MB"), (2**30, "GB")) if unit <= max(memory, 1))
    return f"{memory / unit:.4g}{name}"


def extent_for(plan: Plan, memory: int | None) -> Extent:
    """The largest extent that fits the memory.

    Args:
      plan: what is done to the video.
      memory: bytes that may be used; `None` for the free memory, minus a margin.

    Raises:
      OptionError: even the smallest extent needs more than `memory`, or than the machine has.
    """
    height, width = plan.conversion.written()[1] if plan.crop is None else plan.crop.size
    made = plan.conversion.scale**2 * np.prod(plan.conversion.size)  # superres may make more pixels than it writes
    pixels = height * width if plan.crop is not None else max(height * width, int(made))
    needed = _needed if plan.references is not None else _needed_in_tiles  # there are no tiles without a network
    multiple = load(plan.weights).config.multiple if plan.weights else 1
    side = least_side(multiple)
    least = needed(plan, pixels, min(height, side) * min(width, side))
    if least > (machine_memory() if memory is None else memory):
        text = f"{np.ceil(least / 2**30 * 10) / 10:.3g}GB"
        if memory is None:
            raise OptionError(f"{width}x{height} needs {text} of memory, more than this machine has")
        raise OptionError(f"memory {_text(memory)} is too little for {width}x{height}: pass at least {text}")
    budget = free_memory() if memory is None else memory
    frames = chunk_frames(pixels)
    while frames > 1 and _needed(plan, pixels, frames=frames) > budget:
        frames -= 1
    if needed is _needed or _needed(plan, pixels, frames=frames) <= budget:
        return Extent(frames, None)
    on_disk = _needed_in_tiles(plan, pixels, (2 * side) ** 2, on_disk=False) > budget
    left = budget - _needed_in_tiles(plan, pixels, 0, on_disk=on_disk)
    side = max(side, int(np.sqrt(max(left, 0) / _NETWORK)) // multiple * multiple)
    return Extent(1, min(side, _LARGEST), on_disk)


def _needed(plan: Plan, pixels: int, seen: int = 0, *, frames: int = 1) -> int:
    """Bytes for whole frames of this many pixels, in chunks of this many frames."""
    del seen
    coloured = plan.references is not None
    own, waiting = (_COLOURS, HELD_BYTES) if coloured else (_NETWORK, 0)
    return _PROGRAM + waiting + (_FRAME + _CHUNK * frames + own) * pixels


def _needed_in_tiles(plan: Plan, pixels: int, seen: int, *, on_disk: bool = True) -> int:
    """Bytes for frames of this many pixels, of which the network sees `seen` at once; `on_disk` as in `Extent`."""
    carry = 0 if on_disk or not plan.weights else carry_bytes(load(plan.weights).config)
    return int(_PROGRAM + (_FRAME_IN_TILES + carry) * pixels + _NETWORK * seen)
