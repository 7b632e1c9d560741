"""Runs the network over large frames in tiles, one after the other, which takes less memory than whole frames."""

import dataclasses
import tempfile
import weakref
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float32

from vdiff_jax.diffusion.step import Carry, start
from vdiff_jax.nn.network import NetworkConfig
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.stream.crop import Crop
from vdiff_jax.tasks.video import ChunkInputs

MARGIN = 12
"""The margin around a tile, divided by `multiple`. The network also sees it, so that no border of a tile shows."""


class Tile(NamedTuple):
    """A tile of each frame.

    Attributes:
      seen: the part of the frame that the network sees: the tile and its margin.
      own: the tile without the margin, in coordinates of `seen`.
    """

    seen: Crop
    own: Crop

    @property
    def place(self) -> Crop:
        """The tile without the margin, in coordinates of the frame."""
        rows, columns = (
            slice(seen.start + own.start, seen.start + own.stop)
            for seen, own in zip((self.seen.rows, self.seen.columns), (self.own.rows, self.own.columns))
        )
        return dataclasses.replace(self.own, rows=rows, columns=columns)


def tiles_of(size: tuple[int, int], pixels: PixelFormat, multiple: int, side: int) -> list[Tile]:
    """Tiles with their margins, row by row from the top left.

    Args:
      size: height and width of the frames.
      pixels: their format.
      multiple: tiles start at a multiple of this, and at a chroma sample.
      side: about how many rows and columns a tile has with its margin. `least_side`, if that is more.
    """
    side, margin = max(side, least_side(multiple)), MARGIN * multiple
    step = max(multiple, *pixels.subsampling)
    return [
        Tile(*(Crop(*sides, pixels, multiple) for sides in zip(rows, columns)))
        for rows in _spans(size[0], side, margin, step)
        for columns in _spans(size[1], side, margin, step)
    ]


def _spans(length: int, side: int, margin: int, step: int) -> Iterator[tuple[slice, slice]]:
    """The tiles along one side of the frames: the rows or columns that each one sees, and its own part of them."""
    side = side // step * step
    last = max(length - side, 0) // step * step
    start = begin = 0
    while begin < length:
        start = min(max(begin - margin, 0), last)
        stop = length if start == last else start + side
        end = length if stop == length else stop - margin
        yield slice(start, stop), slice(begin - start, end - start)
        begin = end


def least_side(multiple: int) -> int:
    """The rows and columns of the smallest tile with its margin. The margin takes half of them."""
    return 4 * MARGIN * multiple


def carry_bytes(config: NetworkConfig) -> float:
    """Bytes of a float32 carry for each pixel of a frame."""
    result, confidence = 3, 2
    return 4 * (
        result + confidence + sum(width / (config.cell << level) ** 2 for level, width in enumerate(config.widths))
    )


class InTiles:
    """A network's function of a chunk, computed in tiles. One carry from `start_on_host` holds the whole frame's state.

    Args:
      tiles: from `tiles_of`.
      make: makes the function of a chunk for frames of some height and width.
      scale: how many times larger the result is than the frames that the tiles are of.
    """

    def __init__(self, tiles: Sequence[Tile], make: Callable[[tuple[int, int]], Callable[..., Any]], scale: int = 1):
        self._tiles, self._scale = tiles, scale
        self._networks = {size: make(size) for size in {tile.seen.size for tile in tiles}}

    @property
    def compile_seconds(self) -> float:
        """How long compiling took."""
        return sum(network.compile_seconds for network in self._networks.values())

    def __call__(self, params: Any, carry: Carry, inputs: ChunkInputs, active: np.ndarray) -> tuple[Carry, Any]:
        """As `restore_planes`. The new carry overwrites the arrays of the given one."""
        height, width = (self._scale * side for side in inputs.planes[0].shape[1:])
        shapes = self._tiles[0].seen.pixels.plane_shapes(width, height)
        planes = tuple(np.zeros((len(active), *s), plane.dtype) for s, plane in zip(shapes, inputs.planes))
        finite, time = np.ones(len(active), bool), carry.time
        waiting: list[
            tuple[Crop, Carry]
        ] = []  # not pasted yet, because the margins of the next tiles still need the old values
        for tile in self._tiles:
            seen, own, place = (crop.times(self._scale) for crop in (tile.seen, tile.own, tile.place))
            while waiting and waiting[0][0].rows.stop <= seen.rows.start:
                _paste(carry, *waiting.pop(0))
            network, before = self._networks[tile.seen.size], _part(carry, seen)
            after, (made, good) = network(params, before, tile.seen.cut(inputs, self._scale), active)
            waiting.append((place, _part(after, own)))
            place.fill(planes, own.of(made))
            finite, time = finite & good, after.time
        for each in waiting:
            _paste(carry, *each)
        return dataclasses.replace(carry, time=np.asarray(time)), (planes, finite)


class ArrayInFile:
    """A float32 array in a temporary file, which is mapped to memory only while a part is read or written.

    Args:
      shape: of the array.
      value: of all elements at first.
      folder: for the file, which has no name there on Linux; `None`: the system's folder for temporary files.

    Raises:
      OSError: the disk is full.
    """

    dtype = np.dtype(np.float32)

    def __init__(self, shape: tuple[int, ...], value: float, folder: Path | None):
        self.shape = shape
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        # All is written at once: a mapped file that finds no room later ends the program.
        row = np.full(shape[1:], value, self.dtype).tobytes()
        self._file.writelines(row for _ in range(shape[0]))
        self._file.flush()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, place: Any) -> Float32[np.ndarray, "..."]:
        return np.array(self._mapped()[place])

    def __setitem__(self, place: Any, values: Float32[np.ndarray, "..."]) -> None:
        self._mapped()[place] = values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        mapped = self._mapped()
        return np.array(mapped, dtype) if copy else mapped.astype(dtype or self.dtype, copy=False)

    def _mapped(self) -> np.memmap:
        return np.memmap(self._file, self.dtype, "r+", shape=self.shape)


def start_on_host(config: NetworkConfig, shape: tuple[int, int], *, on_disk: bool, folder: Path | None = None) -> Carry:
    """The carry at the start of a shot as NumPy arrays.

    Args:
      config: the network's architecture.
      shape: height and width of the frames, padded.
      on_disk: all but `time` is in files.
      folder: for these files.

    Raises:
      OSError: the disk is full.
    """
    shapes = jax.eval_shape(lambda: start(config, shape))
    small = start(config, (config.multiple, config.multiple))

    def made(leaf: jax.ShapeDtypeStruct, one: jax.Array) -> Any:
        value = float(np.ravel(one)[0])
        in_file = on_disk and leaf.shape
        return ArrayInFile(leaf.shape, value, folder) if in_file else np.full(leaf.shape, value, np.float32)

    carry = jax.tree.map(made, shapes, small)
    return dataclasses.replace(carry, time=np.asarray(small.time))


def _places(crop: Crop, carry: Carry) -> list[tuple[slice, slice]]:
    """The crop in the arrays of a carry: the hidden state of each level, the result and the confidence.

    The carry may itself be a part: it only tells each level's scale.
    """

    def at(scale: int) -> tuple[slice, slice]:
        rows, columns = (
            slice(side.start // scale, -(-side.stop // crop.multiple) * crop.multiple // scale)
            for side in (crop.rows, crop.columns)
        )
        return rows, columns

    return [*(at(len(carry.result) // len(level)) for level in carry.hidden), at(1), at(1)]


def _part(carry: Carry, crop: Crop) -> Carry:
    """A copy of a part of a carry. `time` is not cut."""
    places = _places(crop, carry)
    *hidden, result, confidence = (
        np.array(leaf[place]) for leaf, place in zip([*carry.hidden, carry.result, carry.confidence], places)
    )
    return Carry(hidden=hidden, result=result, confidence=confidence, time=carry.time)


def _paste(carry: Carry, crop: Crop, part: Carry) -> None:
    """Overwrites a part of a carry."""
    leaves = ([*each.hidden, each.result, each.confidence] for each in (carry, part))
    for whole, new, place in zip(*leaves, _places(crop, carry)):
        whole[place] = new
