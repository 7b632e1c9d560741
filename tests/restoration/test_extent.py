"""How much of a video is in memory at once."""

import dataclasses

import pytest

from vdiff_jax.errors import OptionError
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.restoration import extent
from vdiff_jax.restoration.extent import extent_for, extent_from
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.same_size import SameSize

YUV = PixelFormat(kind="yuv", subsampling=(2, 2))


def plan(width, height):
    return Plan(tasks=("denoise",), weights="base", why="", job=SameSize(YUV, (height, width)))


def test_a_small_video_needs_no_bands():
    assert extent_for(plan(640, 360), 4 << 30) == (8, None)


def test_less_memory_makes_smaller_chunks_then_bands():
    made = [extent_for(plan(1920, 1080), int(gigabytes * 2**30)) for gigabytes in (4, 3, 2, 1.7)]
    assert [each.frames for each in made] == sorted((each.frames for each in made), reverse=True)
    assert made[0].rows is None
    assert 208 <= made[-1].rows < 1080
    assert made[-1].rows % 16 == 0


def test_less_than_the_smallest_band_takes_is_refused_with_the_least_that_works():
    with pytest.raises(
        OptionError, match=r"memory 0\.5GB is too little for 1920x1080: pass at least [\d.]+GB"
    ) as error:
        extent_for(plan(1920, 1080), 1 << 29)
    least = float(str(error.value).split("at least ")[1][:-2])
    assert extent_for(plan(1920, 1080), int(least * 2**30)).rows <= 304
    with pytest.raises(OptionError):
        extent_for(plan(1920, 1080), int((least - 0.11) * 2**30))


def test_the_default_is_what_is_free(monkeypatch):
    monkeypatch.setattr(extent, "free_memory", lambda: 1)
    assert extent_for(plan(1920, 1080), None) == (1, 208)
    references = dataclasses.replace(plan(1920, 1080), references={})
    assert extent_for(references, None) == (1, None)


@pytest.mark.parametrize(
    "value", [None, [8], [8, None, 1], [0, None], [9, None], [8, 0], [True, 4], [1.0, None], ["8", 4]]
)
def test_what_a_damaged_file_holds_is_no_extent(value):
    assert extent_from(value) is None
    assert extent_from([8, None]) == (8, None)
    assert extent_from([1, 208]) == (1, 208)
