"""Frames are the ones that are asked for, and masks are what was painted."""

import numpy as np
import pytest
from PIL import Image

from tests.serve.conftest import numbered, write_clip
from vdiff_jax.errors import MaskError
from vdiff_jax.serve.pictures import fitted, frame_at, painted, pair_at, write_mask


@pytest.mark.parametrize("number", [0, 1, 4, 7])
def test_the_frame_of_a_time(clip, number):
    assert (frame_at(clip, number / 10) == 20 * number).all()


def test_after_the_end_the_last_frame_is_shown(clip):
    assert (frame_at(clip, 99) == 140).all()


def test_pairs_have_one_size_and_one_moment(tmp_path, clip):
    after = write_clip(tmp_path / "after.mkv", numbered(16, (96, 128), 10), rate=10)
    first, second = pair_at(clip, after, 0.8, slow=2)
    assert first.shape == second.shape == (96, 128, 3)
    assert (first == 80).all()
    assert (second == 80).all()


def test_large_pictures_are_reduced():
    assert fitted(np.zeros((1000, 4000, 3), np.uint8)).shape == (320, 1280, 3)
    assert fitted(np.zeros((48, 64, 3), np.uint8)).shape == (48, 64, 3)


def layer(shape=(24, 32)):
    painting = np.zeros((*shape, 4), np.uint8)
    painting[8:16, 4:12] = (255, 0, 0, 255)
    return painting


def test_what_is_painted_is_the_mask_in_the_videos_size():
    mask = painted({"layers": [layer()]}, (64, 48))
    assert mask.shape == (48, 64)
    assert mask[16:32, 8:24].all()
    assert mask.sum() == 16 * 16


def test_nothing_or_everything_painted_is_refused():
    for editor in (None, {"layers": []}, {"layers": [np.zeros((24, 32, 4), np.uint8)]}):
        with pytest.raises(MaskError, match="nothing is painted yet"):
            painted(editor, (64, 48))
    with pytest.raises(MaskError, match="everything is painted over"):
        painted({"layers": [np.full((24, 32, 4), 255, np.uint8)]}, (64, 48))


def test_a_mask_is_white_where_painted(tmp_path):
    mask = np.eye(8, dtype=bool)
    written = np.asarray(Image.open(write_mask(mask, tmp_path / "mask.png")))
    assert (written == 255 * mask).all()
