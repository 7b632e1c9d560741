"""Restoring a crop: the rest of each frame stays as it is, however late the frames come."""

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.chunk_restorer import Cropped
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.chunks import cut_into_chunks
from vdiff_jax.stream.crop import Crop

GREY = PixelFormat(kind="gray", full_range=True)


class Inverter:
    """Inverts frames; gives each chunk's out with the next one, as the colorizer may."""

    frames, multiple, ahead = 2, 8, 2

    def restore(self, chunks, checkpoints):
        late = []
        for chunk in chunks:
            yield from late
            count = len(chunk.shown)
            late = [Frame((255 - chunk.planes[0][n],), frame.pts) for n, frame in enumerate(chunk.shown[:count])]
        yield from late

    def report(self):
        return {"compile_seconds": 1.0}


@pytest.mark.parametrize("count", [1, 5])
def test_only_the_crop_changes(count):
    rng = np.random.default_rng(0)
    clip = rng.integers(0, 256, (count, 64, 96), np.uint8)
    holes = np.zeros((64, 96), bool)
    holes[20:24, 40:44] = True
    crop = Crop.around(holes, GREY, margin=8, multiple=8)
    restorer = Cropped(Inverter(), crop)
    frames = [Frame((plane,), n) for n, plane in enumerate(clip)]
    analysed = analyse(frames, [holes] * count, GREY, restorer.multiple)
    restored = list(restorer.restore(cut_into_chunks(analysed, restorer.frames)))
    assert [frame.pts for frame in restored] == list(range(count))
    inside = np.zeros(holes.shape, bool)
    inside[crop.rows, crop.columns] = True
    known = inside & ~holes
    for frame, before in zip(restored, clip, strict=True):
        np.testing.assert_array_equal(frame.planes[0][~inside], before[~inside])
        np.testing.assert_array_equal(frame.planes[0][known], 255 - before[known])
    assert restorer.report() == {"compile_seconds": 1.0}
