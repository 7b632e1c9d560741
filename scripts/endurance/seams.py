"""The result of `repair` in tiles, as with little memory, beside that of whole frames."""

from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np

import vdiff_jax
from vdiff_jax.media import open_reader
from vdiff_jax.restoration import pipeline
from vdiff_jax.restoration.extent import Extent
from vdiff_jax.restoration.tiles import least_side

SIDE = least_side(16)
"""The smallest tiles, which have most borders."""
EXTENTS = {"": Extent(1, SIDE), " with the state on disk": Extent(1, SIDE, on_disk=True)}
SECONDS = 0.5


def seams(folder: Path, clip: Path) -> Iterator[str]:
    """Rows of the table: how far the results in tiles are from that of whole frames, in the first half second.

    Args:
      folder: for the results.
      clip: a video whose frames are larger than tiles.
    """
    whole = _repaired(clip, folder / "whole_frames.mkv", Extent(1, None))
    for place, extent in EXTENTS.items():
        tiles = _repaired(clip, folder / "in_tiles.mkv", extent)
        apart = np.abs(np.concatenate(whole).astype(int) - np.concatenate(tiles))
        yield (
            f"| result in tiles of {SIDE} pixels{place}, beside whole frames | {clip.name} | "
            f"at most {apart.max()}/255 apart, more than 1/255 in {np.mean(apart > 1):.3%} of samples |"
        )


def _repaired(clip: Path, target: Path, extent: Extent) -> list[np.ndarray]:
    """The samples of each repaired plane."""
    options = {"task": "denoise", "sigma": 8, "weights": "fast", "codec": "ffv1", "stop": SECONDS}
    target.unlink(missing_ok=True)
    with mock.patch.object(pipeline, "extent_for", return_value=extent):
        vdiff_jax.repair(clip, target, **options)
    with open_reader(target) as reader:
        return [plane.ravel() for frame in reader for plane in frame.planes]
