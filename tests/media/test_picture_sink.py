"""Pictures as an output."""

from fractions import Fraction

import imageio.v3 as iio
import numpy as np
import pytest

from vdiff_jax.errors import OutputError
from vdiff_jax.media.picture_sink import PictureSink
from vdiff_jax.media.video import VideoInfo
from vdiff_jax.pixels import Frame, PixelFormat

INFO = VideoInfo(
    width=6, height=4, pixels=PixelFormat(kind="rgb", full_range=True), rate=Fraction(25), time_base=Fraction(1, 25)
)
FRAME = Frame(tuple(np.arange(24, dtype=np.uint8).reshape(4, 6) + step for step in (0, 50, 100)), 0)


def test_a_folder_gets_numbered_pictures_from_the_given_number_on(tmp_path):
    sink = PictureSink(tmp_path, INFO, folder=True, count=7)
    sink.write(FRAME)
    sink.write(FRAME)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["frame_000007.png", "frame_000008.png"]
    np.testing.assert_array_equal(iio.imread(tmp_path / "frame_000007.png"), np.stack(FRAME.planes, axis=-1))


def test_one_picture_holds_one_frame(tmp_path):
    sink = PictureSink(tmp_path / "a.png", INFO, folder=False)
    sink.write(FRAME)
    with pytest.raises(OutputError, match="one picture holds one frame"):
        sink.write(FRAME)
