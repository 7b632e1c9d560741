"""Reference pictures: the frame of each, and pictures that are errors."""

import imageio.v3 as iio
import numpy as np
import pytest

from vdiff_jax.errors import ReferencePictureError
from vdiff_jax.media import VideoInfo, read_references, write_picture
from vdiff_jax.pixels import PixelFormat

INFO = VideoInfo(width=12, height=8, pixels=PixelFormat(kind="gray"), frames=20)


@pytest.fixture
def folder(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (8, 12, 4), dtype=np.uint8)
    iio.imwrite(tmp_path / "a.png", colours[..., :3])
    iio.imwrite(tmp_path / "b.png", colours)
    write_picture(tmp_path / "deep.png", colours[..., :3].astype(np.uint16) * 257)
    iio.imwrite(tmp_path / "grey.png", colours[..., 0])
    iio.imwrite(tmp_path / "large.png", np.zeros((9, 12, 3), np.uint8))
    (tmp_path / "text.png").write_text("no picture")
    return tmp_path


def test_a_number_before_a_colon_is_the_frame(folder):
    pictures = read_references([f"{folder}/a.png", f"7:{folder}/b.png", f"9:{folder}/deep.png"], INFO)
    assert list(pictures) == [0, 7, 9]
    assert all(p.shape == (8, 12, 4) and p.dtype == np.float32 for p in pictures.values())
    assert (pictures[0][..., 3] == 1).all()
    np.testing.assert_allclose(pictures[7][..., 3] * 255, iio.imread(folder / "b.png")[..., 3], atol=1e-3)
    np.testing.assert_allclose(pictures[9], pictures[0])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["{0}/large.png"], "12x9"),
        (["{0}/grey.png"], "no colours"),
        (["{0}/text.png"], "text.png"),
        (["{0}/none.png"], "none.png"),
        (["20:{0}/a.png"], "frame 20"),
        (["{0}/a.png", "0:{0}/b.png"], "two references"),
    ],
)
def test_references_that_do_not_match_are_errors(folder, given, says):
    with pytest.raises(ReferencePictureError, match=says):
        read_references([text.format(folder) for text in given], INFO)
