"""The preview puts the source on the left, as players show it, and the result on the right."""

from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax import media
from vdiff_jax.media import VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.pipeline import repair
from vdiff_jax.restoration.preview import SideBySide

YUV = PixelFormat(kind="yuv", subsampling=(2, 2))


def frames(height, width, values):
    shapes = YUV.plane_shapes(width, height)
    return [Frame(tuple(np.full(s, value, np.uint8) for s in shapes), n) for n, value in enumerate(values)]


@pytest.mark.parametrize(
    ("rotation", "corner", "opposite"), [(0, 50, 200), (90, 200, 50), (180, 200, 50), (270, 50, 200)]
)
def test_both_are_seen_in_order_whatever_the_rotation(rotation, corner, opposite):
    side = SideBySide(VideoInfo(width=16, height=9, pixels=YUV, rotation=rotation), None)
    assert len(list(side.keep(frames(9, 16, [50])))) == 1
    [pair] = side.pairs(frames(9, 16, [200]))
    expected = (8, 32) if rotation in (0, 180) else (16, 16)
    assert (side.info.height, side.info.width) == pair.planes[0].shape == expected
    assert (pair.planes[0][0, 0], pair.planes[0][-1, -1]) == (corner, opposite)
    assert (pair.planes[1][0, 0], pair.planes[1][-1, -1]) == (corner, opposite)


def test_a_smaller_and_slower_source_is_fitted():
    side = SideBySide(VideoInfo(width=32, height=16, pixels=YUV), Fraction(1, 2))
    list(side.keep(frames(8, 16, [10, 20])))
    pairs = list(side.pairs(frames(16, 32, [100, 101, 102])))
    assert [(int(p.planes[0][0, 0]), int(p.planes[0][0, -1])) for p in pairs] == [(10, 100), (10, 101), (20, 102)]
    assert pairs[0].planes[0].shape == (16, 64)


def test_the_file_shows_the_input_twice_where_nothing_is_to_do(tmp_path, sample_clips):
    target = tmp_path / "preview.mkv"
    options = {"task": "denoise", "sigma": 0, "preview": 0.125, "codec": "ffv1"}
    report = repair(sample_clips / "truth.mkv", target, **options)
    assert (report["frames"], report["width"], report["height"]) == (3, 320, 96)
    with media.open_reader(target) as reader, media.open_reader(sample_clips / "truth.mkv") as source:
        for pair, frame in zip(reader, source):
            for both, plane in zip(pair.planes, frame.planes):
                np.testing.assert_array_equal(both, np.concatenate([plane, plane], axis=1))
