"""Restores large frames in bands of rows, each with a state of its own: less memory than a whole frame takes."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.chunk_restorer import ChunkRestorer
from vdiff_jax.runtime.checkpoint_files import Arrays
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints
from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.stream.crop import Crop

MARGIN = 96
"""Rows above and below a band that the network sees too, so that no seam shows."""


class Band(NamedTuple):
    """What the network sees of each frame, and the part of this that it restores."""

    seen: Crop
    own: Crop


def bands_of(size: tuple[int, int], pixels: PixelFormat, multiple: int, rows: int) -> list[Band]:
    """Bands of at most about `rows` rows with their margins, from top to bottom; all but the last are of one size.

    Args:
      size: height and width of the frames.
      pixels: their format.
      multiple: bands start at a multiple of this.
      rows: more than twice `MARGIN` and `multiple`.
    """
    height, width = size
    columns = slice(0, width)
    rows = rows // multiple * multiple
    if rows >= height:
        return [Band(*[Crop(slice(0, height), columns, pixels, multiple)] * 2)]
    margin = -(-MARGIN // multiple) * multiple
    step = rows - 2 * margin
    last = (height - rows) // multiple * multiple
    bands = []
    for begin in range(0, height, step):
        start = min(max(begin - margin, 0), last)
        stop = height if start == last else start + rows
        own = slice(begin - start, min(begin + step, height) - start)
        bands.append(Band(Crop(slice(start, stop), columns, pixels, multiple), Crop(own, columns, pixels, multiple)))
    return bands


def least_rows(multiple: int) -> int:
    """The rows of the smallest band with its margins."""
    return 2 * (-(-MARGIN // multiple) * multiple) + multiple


class Bands:
    """A restorer for each band, which take turns chunk by chunk.

    Args:
      bands: from `bands_of`.
      make: makes the restorer of a band from its height and width.
    """

    def __init__(self, bands: Sequence[Band], make: Callable[[tuple[int, int]], ChunkRestorer]):
        self._bands = bands
        self._restorers = [make(band.seen.size) for band in bands]
        self.frames, self.multiple = self._restorers[0].frames, self._restorers[0].multiple

    def restore(self, chunks: Iterable[Chunk], checkpoints: Checkpoints = NO_CHECKPOINTS) -> Iterator[Frame]:
        """Whole frames, joined from their bands."""
        copies = itertools.tee(chunks, len(self._bands))
        streams = [
            restorer.restore(map(band.seen.cut, copy), _BandCheckpoints(checkpoints, number))
            for number, (restorer, band, copy) in enumerate(zip(self._restorers, self._bands, copies))
        ]
        for parts in zip(*streams, strict=True):
            owned = [band.own.planes(part) for band, part in zip(self._bands, parts)]
            yield dataclasses.replace(parts[0], planes=tuple(map(np.concatenate, zip(*owned))))

    def report(self) -> dict[str, Any]:
        """The restorers' entries in the report; the largest of each, as bands share what is compiled."""
        reports = [restorer.report() for restorer in self._restorers]
        return {name: max(report.get(name, 0) for report in reports) for report in reports for name in report}


class _BandCheckpoints(Checkpoints):
    """The checkpoints of the whole frames, where a band's restorer keeps its state under a name of its own."""

    def __init__(self, whole: Checkpoints, number: int):
        super().__init__(begun=whole.begun)
        self._whole, self._number = whole, number

    def propose(self, frames: int, chunks: int) -> bool:
        """The first band decides; the others follow."""
        return self._whole.here(frames) if self._number else self._whole.propose(frames, chunks)

    def keep(self, frames: int, step: str, arrays: Arrays) -> None:
        """Writes the state of a band."""
        self._whole.keep(frames, f"{step}{self._number}", arrays)

    def state(self, step: str) -> list[np.ndarray] | None:
        """The state of a band."""
        return self._whole.state(f"{step}{self._number}")
