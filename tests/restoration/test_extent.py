"""How much of a video is in memory at once."""

import dataclasses

import jax
import pytest

from vdiff_jax.diffusion.step import start
from vdiff_jax.errors import OptionError
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.restoration import extent
from vdiff_jax.restoration.extent import extent_for, extent_from
from vdiff_jax.restoration.tiles import carry_bytes
from vdiff_jax.stream.chunks import MOST_FRAMES
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.tasks.superres import Enlargement
from vdiff_jax.weights import load

YUV = PixelFormat(kind="yuv", subsampling=(2, 2))


def plan(width, height):
    return Plan(tasks=("denoise",), weights="base", why="", conversion=SameSize(YUV, (height, width)))


def test_a_small_video_needs_no_tiles():
    assert extent_for(plan(640, 360), 4 << 30) == (MOST_FRAMES, None, False)


def test_less_memory_makes_smaller_chunks_then_tiles():
    made = [extent_for(plan(1920, 1080), int(gigabytes * 2**30)) for gigabytes in (4, 2.7, 1.8, 1.2)]
    assert [each.frames for each in made] == sorted((each.frames for each in made), reverse=True)
    assert made[0].tile is None
    assert made[-1].frames == 1
    assert 384 <= made[-1].tile < made[-2].tile
    assert made[-1].tile % 8 == 0
    assert [each.on_disk for each in made] == [False, False, False, True]


@pytest.mark.parametrize("weights", ["fast", "base"])
def test_a_frame_of_8k_fits_into_4_gb(weights):
    large = dataclasses.replace(plan(7680, 4320), weights=weights)
    assert extent_for(large, 4 << 30).tile >= 384


def test_less_than_the_smallest_tile_takes_is_refused_with_the_least_that_works():
    with pytest.raises(OptionError, match=r"memory 512MB is too little for 1920x1080: pass at least [\d.]+GB") as error:
        extent_for(plan(1920, 1080), 1 << 29)
    with pytest.raises(OptionError, match="memory 100MB is too little"):
        extent_for(plan(1920, 1080), 100 << 20)
    with pytest.raises(OptionError, match="memory 3 is too little"):
        extent_for(plan(1920, 1080), 3)
    least = float(str(error.value).split("at least ")[1][:-2])
    assert extent_for(plan(1920, 1080), int(least * 2**30)).tile <= 600
    with pytest.raises(OptionError):
        extent_for(plan(1920, 1080), int((least - 0.11) * 2**30))


def test_a_frame_that_no_tile_makes_small_enough_for_the_machine_is_refused():
    huge = dataclasses.replace(plan(1920, 1080), conversion=Enlargement(YUV, (1080, 1920), 4, (200_000, 300_000)))
    with pytest.raises(OptionError, match=r"300000x200000 needs [\d.e+]+GB of memory, more than this machine has"):
        extent_for(huge, None)


def test_superres_counts_the_pixels_that_the_network_makes():
    small = Enlargement(YUV, (1080, 1920), 4, (2160, 3840))
    asked = dataclasses.replace(plan(1920, 1080), conversion=small)
    assert extent_for(asked, 4 << 30) == extent_for(plan(7680, 4320), 4 << 30)
    assert extent_for(plan(3840, 2160), 4 << 30) != extent_for(asked, 4 << 30)


def test_the_default_is_what_is_free(monkeypatch):
    monkeypatch.setattr(extent, "free_memory", lambda: 1)
    assert extent_for(plan(1920, 1080), None) == (1, 384, True)
    assert extent_for(coloured(1920, 1080), None) == (1, None, False)


def coloured(width, height):
    return dataclasses.replace(plan(width, height), tasks=("colorize",), weights="", references={})


def test_colorize_takes_shorter_chunks_where_memory_is_short():
    assert extent_for(coloured(3200, 1800), 4 << 30) == (2, None, False)
    assert extent_for(coloured(3840, 2160), int(4.5 * 2**30)) == (1, None, False)
    with pytest.raises(OptionError, match=r"too little for 3840x2160: pass at least 4\.[\d]GB"):
        extent_for(coloured(3840, 2160), 4 << 30)


def test_the_carry_has_these_bytes():
    config = load("fast").config
    assert carry_bytes(config) == sum(leaf.nbytes for leaf in jax.tree.leaves(start(config, (64, 64)))[:-1]) / 64**2


@pytest.mark.parametrize(
    "value",
    [
        None,
        [8],
        [MOST_FRAMES, None],
        [MOST_FRAMES, None, 1],
        *([*pair, False] for pair in [(0, None), (MOST_FRAMES + 1, None), (MOST_FRAMES, 0), (True, 4), (1.0, None)]),
    ],
)
def test_what_a_damaged_file_holds_is_no_extent(value):
    assert extent_from(value) is None
    assert extent_from([MOST_FRAMES, None, False]) == (MOST_FRAMES, None, False)
    assert extent_from([1, 400, True]) == (1, 400, True)
    assert extent_from([1, 40, True]) is None
