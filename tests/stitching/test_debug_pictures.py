import numpy as np
import pytest

from vdiff_jax.errors import OutputError
from vdiff_jax.stitching.debug_pictures import DebugPictures, draw_matches, draw_seams

# The pictures of a whole panorama and of a sequence's joins are tested in test_stitch.py.


def test_seams_are_red_where_the_camera_changes():
    labels = np.where(np.arange(10) < 6, 0, 1)[None].repeat(5, axis=0)
    picture = draw_seams(np.full((18, 38, 3), 90, np.uint8), labels, 4)
    red = (picture == [255, 0, 0]).all(axis=-1)
    assert red[:, 23:25].all()
    assert not red[:, :22].any()
    assert not red[:, 26:].any()


def test_matches_are_drawn_between_both_pictures(wide):
    first, second = (np.ascontiguousarray(wide[0, :200, x : x + 260]) for x in (40, 120))
    picture = draw_matches(first, second)
    assert picture.shape == (200, 520, 3)
    assert ((picture == [0, 255, 0]).all(axis=-1)[:, 200:320]).any()
    plain = draw_matches(first, np.full((210, 100, 3), 90, np.uint8))
    np.testing.assert_array_equal(plain[:200, :260], first)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file/stages: the folder for debug pictures cannot be made"):
        DebugPictures(tmp_path / "file" / "stages")
