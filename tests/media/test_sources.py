"""What folders and globs hold."""

from fractions import Fraction

import numpy as np
import pytest

from vdiff_jax.errors import InputError
from vdiff_jax.media import list_videos, open_reader, write_picture


def test_pictures_are_sorted_by_the_numbers_in_their_names(tmp_path):
    for number in (10, 9, 100, 1):
        write_picture(tmp_path / f"shot {number}.png", np.full((6, 5, 3), number, np.uint8))
    with open_reader(tmp_path) as reader:
        assert [int(frame.planes[0][0, 0]) for frame in reader] == [1, 9, 10, 100]
        assert (reader.info.frames, reader.info.pixels.name, reader.info.width) == (4, "gbrp", 5)
    with open_reader(str(tmp_path / "shot 1*.png"), picture_rate=Fraction(10)) as reader:
        assert [int(frame.planes[0][0, 0]) for frame in reader] == [1, 10, 100]
        assert reader.info.duration == pytest.approx(0.3)
    with open_reader(tmp_path / "shot 9.png") as reader:
        assert len(list(reader)) == 1


def test_a_folder_of_videos_is_a_batch(tmp_path, make_clip):
    clip = make_clip("b.mkv", count=1)
    make_clip("a.mkv", count=1)
    assert list_videos(clip.path) is None
    assert [path.name for path in list_videos(tmp_path)] == ["a.mkv", "b.mkv"]
    assert [path.name for path in list_videos(str(tmp_path / "b*"))] == ["b.mkv"]
    with pytest.raises(InputError, match="holds videos, not pictures"):
        open_reader(tmp_path)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    write_picture(pictures / "0.png", np.zeros((4, 4), np.uint8))
    assert list_videos(pictures) is None
    with pytest.raises(InputError, match="no such file or folder"):
        list_videos(tmp_path / "nothing")
