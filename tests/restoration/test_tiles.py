"""The network in tiles gives what it gives on whole frames."""

import dataclasses

import numpy as np
import pytest

from vdiff_jax.diffusion.step import start
from vdiff_jax.errors import ResumeError
from vdiff_jax.nn.network import SIZES
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.restoration import tiles
from vdiff_jax.restoration.restorer import taken_up
from vdiff_jax.restoration.tiles import MARGIN, ArrayInFile, InTiles, least_side, start_on_host, tiles_of
from vdiff_jax.runtime.array_files import read_arrays, write_arrays
from vdiff_jax.tasks.video import ChunkInputs

YUV = PixelFormat(kind="yuv", subsampling=(2, 2))


@pytest.mark.parametrize("height", [448, 451, 1080, 4320])
@pytest.mark.parametrize("side", [384, 512])
def test_tiles_cover_each_pixel_once_and_see_the_margin(height, side):
    covered = np.zeros((height, 700), int)
    for tile in tiles_of((height, 700), YUV, 8, side):
        place = tile.place
        covered[place.rows, place.columns] += 1
        for seen, own, length in ((tile.seen.rows, place.rows, height), (tile.seen.columns, place.columns, 700)):
            assert seen.start % 8 == 0
            assert own.start - seen.start >= 8 * MARGIN or seen.start == own.start == 0
            assert seen.stop - own.stop >= 8 * MARGIN or seen.stop == own.stop == length
            assert seen.stop - seen.start <= side + 7
    assert (covered == 1).all()


def test_tiles_start_at_a_chroma_sample():
    """Superres by 4 may need multiples of 2 only, but 4:1:1 has one chroma sample for 4 columns."""
    starts = [
        side.start
        for tile in tiles_of((101, 131), PixelFormat(kind="yuv", subsampling=(4, 1)), 2, 1)
        for side in (tile.seen.columns, tile.own.columns, tile.place.columns)
    ]
    assert any(starts)
    assert all(start % 4 == 0 for start in starts)


def test_a_frame_that_fits_is_one_tile():
    (tile,) = tiles_of((100, 64), YUV, 8, least_side(8))
    assert (tile.seen.rows, tile.own.rows) == (slice(0, 100), slice(0, 100))


def shifted(array, by, axis):
    """The array moved along an axis; its edge is repeated."""
    length = array.shape[axis]
    return array.take(np.clip(np.arange(length) - by, 0, length - 1), axis)


class Blur:
    """A function of a chunk with a reach of 8 pixels and a carry, in which all that is seen of a frame counts."""

    compile_seconds = 1.0

    def __init__(self, size):
        self.size = size

    def __call__(self, params, carry, inputs, active):
        assert inputs.planes[0].shape[1:] == self.size
        around = sum(shifted(inputs.planes[0][0].astype(np.float32) / 256, shift, 0) for shift in (-8, 0, 8))
        moved = shifted(carry.result[..., 0], 8, 1) + shifted(carry.hidden[0][..., 0], 4, 0).repeat(2, 0).repeat(2, 1)
        result = (around + moved) % 1
        hidden = [np.full_like(leaf, leaf[0, 0, 0] + 1) for leaf in carry.hidden]
        hidden[0] = result[::2, ::2, None].repeat(carry.hidden[0].shape[-1], -1)
        new = dataclasses.replace(carry, hidden=hidden, result=result[..., None].repeat(3, -1), time=inputs.time[0])
        made = tuple(plane[:-1] + (result[None, ::step, ::step] * 64).astype(np.uint8) for plane, step in
                     zip(inputs.planes, (1, 2, 2)))  # fmt: skip
        return new, (made, np.ones(len(active), bool))


def chunk(rng, n):
    shapes = YUV.plane_shapes(128, 112)
    return ChunkInputs(
        planes=tuple(rng.integers(0, 150, (2, *shape), np.uint8) for shape in shapes),
        valid=np.ones(2, np.float32),
        error=None,
        velocity=np.zeros((1, 28, 32, 4), np.float32),
        time=np.array([n, n + 1], np.float32),
        sigma=np.zeros((2, 3), np.float32),
    )


@pytest.mark.parametrize("on_disk", [True, False])
def test_tiles_give_what_whole_frames_give_over_several_chunks(monkeypatch, tmp_path, on_disk):
    monkeypatch.setattr(tiles, "MARGIN", 2)
    config = SIZES["tiny"]
    in_tiles = InTiles(tiles_of((112, 128), YUV, 8, 64), Blur)
    own = start_on_host(config, (112, 128), on_disk=on_disk, folder=tmp_path)
    whole, carry = Blur((112, 128)), start(config, (112, 128))
    carry = dataclasses.replace(carry, result=np.asarray(carry.result), hidden=[np.asarray(h) for h in carry.hidden])
    rng = np.random.default_rng(0)
    for n in range(3):
        inputs = chunk(rng, n)
        carry, (expected, _) = whole(None, carry, inputs, np.ones(1, bool))
        own, (made, finite) = in_tiles(None, own, inputs, np.ones(1, bool))
        np.testing.assert_array_equal(expected[0], made[0])
        assert finite.all()
        assert own.time == n
    assert type(own.result) is (ArrayInFile if on_disk else np.ndarray)
    assert in_tiles.compile_seconds == len(in_tiles._networks)


class Enlarged(Blur):
    """As `Blur`, on frames twice as large, padded to multiples of 8."""

    def __call__(self, params, carry, inputs, active):
        height, width = (2 * side for side in inputs.planes[0].shape[1:])
        self.size = height + -height % 8, width + -width % 8
        assert inputs.velocity.shape[1:3] == tuple(side // 4 for side in self.size)
        large = []
        for plane, shape in zip(inputs.planes, YUV.plane_shapes(*self.size[::-1])):
            twice = plane.repeat(2, 1).repeat(2, 2)[:, : shape[0], : shape[1]]
            large.append(np.pad(twice, [(0, 0), *((0, n - m) for n, m in zip(shape, twice.shape[1:]))], "edge"))
        carry, (made, finite) = super().__call__(
            params, carry, dataclasses.replace(inputs, planes=tuple(large)), active
        )
        shapes = YUV.plane_shapes(width, height)
        return carry, (tuple(plane[:, :rows, :columns] for plane, (rows, columns) in zip(made, shapes)), finite)


def test_tiles_of_small_frames_give_large_ones(monkeypatch):
    monkeypatch.setattr(tiles, "MARGIN", 2)
    size, padded = (111, 123), (224, 248)
    in_tiles = InTiles(tiles_of(size, YUV, 4, 32), Enlarged, 2)
    assert len(in_tiles._tiles) > 4
    own, carry = (start_on_host(SIZES["tiny"], padded, on_disk=False) for _ in range(2))
    rng = np.random.default_rng(0)
    for n in range(3):
        planes = tuple(rng.integers(0, 150, (2, *shape), np.uint8) for shape in YUV.plane_shapes(123, 111))
        velocity = np.zeros((1, padded[0] // 4, padded[1] // 4, 4), np.float32)
        inputs = dataclasses.replace(chunk(rng, n), planes=planes, velocity=velocity)
        carry, (expected, _) = Enlarged(size)(None, carry, inputs, np.ones(1, bool))
        own, (made, _) = in_tiles(None, own, inputs, np.ones(1, bool))
        assert [plane.shape[1:] for plane in made] == [*YUV.plane_shapes(246, 222)]
        for whole, plane in zip(expected, made):
            np.testing.assert_array_equal(whole, plane)


def test_a_result_that_is_not_finite_anywhere_counts(monkeypatch):
    monkeypatch.setattr(tiles, "MARGIN", 2)

    class Failing(Blur):
        def __call__(self, params, carry, inputs, active):
            carry, (made, finite) = super().__call__(params, carry, inputs, active)
            return carry, (made, finite & (inputs.planes[0][0, 0, 0] < 255))

    in_tiles = InTiles(tiles_of((112, 128), YUV, 8, 64), Failing)
    inputs = chunk(np.random.default_rng(0), 0)
    (tile, *_) = [each for each in in_tiles._tiles if each.seen.rows.start and each.seen.columns.start]
    inputs.planes[0][0, tile.seen.rows.start, tile.seen.columns.start] = 255
    _, (_, finite) = in_tiles(None, start_on_host(SIZES["tiny"], (112, 128), on_disk=False), inputs, np.ones(1, bool))
    assert not finite.any()


def test_an_array_in_a_file_takes_no_memory_until_it_is_read(tmp_path):
    array = ArrayInFile((40, 30, 2), 0.5, tmp_path)
    assert len(array) == 40
    assert (np.asarray(array) == 0.5).all()
    array[3:5, 1:2] = np.ones((2, 1, 2), np.float32)
    part = array[2:6, 0:2]
    array[...] = np.zeros((40, 30, 2), np.float32)
    assert part.sum() == 4 + 0.5 * 12
    assert not isinstance(part, np.memmap)
    assert np.array(array, copy=True).sum() == 0
    assert list(tmp_path.iterdir()) == []


def test_a_state_in_files_is_kept_and_taken_up(tmp_path):
    state = [ArrayInFile((40, 30, 2), 0.5, tmp_path), np.ones(3, np.float32)]
    state[0][3, 4] = np.array([1, 2], np.float32)
    write_arrays(tmp_path / "state.npz", state)
    kept = read_arrays(tmp_path / "state.npz")
    anew = [ArrayInFile((40, 30, 2), 0.5, tmp_path), np.zeros(3, np.float32)]
    again = taken_up(kept, anew)
    assert again[0] is anew[0]
    for before, after in zip(state, again):
        np.testing.assert_array_equal(np.asarray(before), np.asarray(after))
    with pytest.raises(ResumeError, match="does not fit"):
        taken_up(kept, [ArrayInFile((40, 30, 3), 0.5, tmp_path), anew[1]])
