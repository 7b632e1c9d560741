"""Frames that are restored in bands of rows equal those that are restored whole."""

import itertools

import numpy as np
import pytest

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration import bands
from vdiff_jax.restoration.bands import MARGIN, Bands, bands_of, least_rows
from vdiff_jax.runtime.checkpoint_files import find_checkpoint
from vdiff_jax.runtime.checkpoints import Checkpoints
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.chunks import cut_into_chunks

YUV = PixelFormat(kind="yuv", subsampling=(2, 2))


@pytest.mark.parametrize("height", [448, 451, 1080, 4320])
@pytest.mark.parametrize("rows", [200, 208, 440])
def test_bands_cover_each_row_once_and_see_the_margin(height, rows):
    made = bands_of((height, 64), YUV, 8, rows)
    reached = 0
    for band in made:
        seen, own = band.seen.rows, band.own.rows
        assert seen.start % 8 == 0
        assert seen.start + own.start == reached
        reached = seen.start + own.stop
        assert own.start >= MARGIN or seen.start == 0
        assert seen.stop - seen.start - own.stop >= MARGIN or seen.stop == height
        assert seen.stop - seen.start <= rows + 7
    assert reached == height


def test_a_frame_that_fits_is_one_band():
    (band,) = bands_of((100, 64), YUV, 8, least_rows(8))
    assert (band.seen.rows, band.own.rows) == (slice(0, 100), slice(0, 100))


class Adder:
    """Adds to each frame how many chunks it has seen and the sum of the rows around: a state, and a reach of 8 rows."""

    frames, multiple = 4, 8

    def __init__(self, size):
        self.size, self._seen = size, np.zeros(1, int)

    def restore(self, chunks, checkpoints):
        kept = checkpoints.state("seen")
        self._seen = self._seen if kept is None else kept[0]
        count = checkpoints.begun.frames
        for number, chunk in enumerate(chunks, start=checkpoints.begun.chunks + 1):
            self._seen = self._seen + 1
            made = [self._frame(chunk, n, frame) for n, frame in enumerate(chunk.shown)]
            count += len(made)
            if checkpoints.propose(count, number):
                checkpoints.keep(count, "seen", [self._seen])
            yield from made

    def _frame(self, chunk, n, frame):
        planes = [plane[n] for plane in chunk.planes]
        assert planes[0].shape == self.size
        around = [sum(np.roll(plane.astype(int), shift, 0) for shift in range(-8, 9)) for plane in planes]
        return Frame(tuple((each + self._seen) % 256 for each in around), frame.pts)

    def report(self):
        return {"compile_seconds": 1.0}


def restored(restorer, clip, checkpoints):
    frames = [Frame(planes, n) for n, planes in enumerate(clip)]
    analysed = analyse(frames, itertools.repeat(None), YUV, 8)
    return restorer.restore(cut_into_chunks(analysed, 4, done=checkpoints.begun.chunks), checkpoints)


@pytest.fixture
def clip(monkeypatch):
    monkeypatch.setattr(bands, "MARGIN", 16)
    rng = np.random.default_rng(0)
    still = tuple(rng.integers(0, 256, shape, np.uint8) for shape in YUV.plane_shapes(48, 112))
    return [tuple(plane + np.uint8(n) for plane in still) for n in range(14)]


def test_frames_in_bands_equal_whole_frames_also_after_a_stop(clip, tmp_path):
    def in_bands():
        made = Bands(bands_of((112, 48), YUV, 8, 56), Adder)
        assert len(made._restorers) == 5
        return made

    rows = slice(8, -8)  # the sums go round at the frame's edges
    whole = [frame.planes[0][rows] for frame in restored(Adder((112, 48)), clip, Checkpoints())]
    kept = Checkpoints(tmp_path / "kept", every=4)
    begun = []
    for number, frame in enumerate(restored(in_bands(), clip, kept), start=1):
        begun.append(frame.planes[0][rows])
        if kept.here(number):
            kept.commit(number, [])
        if number == 10:
            break
    again = Checkpoints(tmp_path / "kept", every=4, begun=find_checkpoint(tmp_path / "kept", {}))
    assert again.begun.frames == 8
    rest = [frame.planes[0][rows] for frame in restored(in_bands(), clip, again)]
    np.testing.assert_array_equal([*begun[:8], *rest], whole)
    assert in_bands().report() == {"compile_seconds": 1.0}
