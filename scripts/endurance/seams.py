"""The result of `repair` in tiles, as with little memory, beside that of whole frames."""

from pathlib import Path
from unittest import mock

import numpy as np

import vdiff_jax
from endurance.clips import write_clip
from vdiff_jax.media import PixelFormat, open_reader
from vdiff_jax.restoration import pipeline
from vdiff_jax.restoration.extent import Extent
from vdiff_jax.restoration.tiles import least_side, tiles_of
from vdiff_jax.weights import for_task, load

WHOLE, TILES = Extent(8, None), Extent(1, least_side(16))
"""The smallest tiles, which have most borders."""
PIXELS = PixelFormat(kind="yuv", subsampling=(2, 2))
SECONDS = 0.5


def seams(folder: Path, clip: str) -> list[str]:
    """The rows of the table: how far the two results are apart, and how far at the borders of tiles.

    Args:
      folder: for the clip and the results.
      clip: a video, or the size of one to make, such as 960x544.
    """
    source = Path(clip)
    if not source.exists():
        source = folder / "seams.mkv"
        width, height = map(int, clip.split("x"))
        write_clip(source, 12, size=(height, width))
    whole, tiles = (_repaired(source, folder / f"seams_{extent.frames}.mkv", extent) for extent in (WHOLE, TILES))
    difference = [
        np.abs(a.astype(int) - b) for one, other in zip(whole, tiles, strict=True) for a, b in zip(one, other)
    ]
    largest, count = max(int(each.max()) for each in difference), sum(each.size for each in difference)
    differ = sum(int(np.count_nonzero(each)) for each in difference) / count
    what = f"{len(whole)} frames of {clip if clip != str(source) else source.name} in tiles of {TILES.tile} pixels"
    return [
        f"| result in tiles, beside that of whole frames | {what} | at most {largest}/255 apart, {differ:.2%} of "
        f"samples differ; in luma, {_at_borders(whole, tiles)} |"
    ]


def _repaired(source: Path, target: Path, extent: Extent) -> list[tuple[np.ndarray, ...]]:
    """The planes of each repaired frame."""
    options = {"task": "denoise", "sigma": 8, "weights": "fast", "codec": "ffv1", "stop": SECONDS}
    with mock.patch.object(pipeline, "extent_for", return_value=extent):
        vdiff_jax.repair(source, target, **options)
    with open_reader(target) as reader:
        return [frame.planes for frame in reader]


def _at_borders(whole: list[tuple[np.ndarray, ...]], tiles: list[tuple[np.ndarray, ...]]) -> str:
    """How many samples of luma differ beside the borders of tiles, and elsewhere."""
    height, width = whole[0][0].shape
    multiple = load(for_task("fast", "denoise")).config.multiple
    beside = np.zeros((height, width), bool)
    for tile in tiles_of((height, width), PIXELS, multiple, TILES.tile or 0):
        rows, columns = tile.place.rows, tile.place.columns
        for line in (rows.start - 1, rows.start) if rows.start else ():
            beside[line] = True
        for line in (columns.start - 1, columns.start) if columns.start else ():
            beside[:, line] = True
    differ = np.mean([one[0] != other[0] for one, other in zip(whole, tiles)], axis=0)
    return (
        f"{differ[beside].mean():.2%} of those beside a border of tiles and {differ[~beside].mean():.2%} of the others"
    )
