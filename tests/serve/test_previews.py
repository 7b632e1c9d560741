"""Previews are H.264 that browsers play, with each frame beside that of its time."""

import numpy as np

from tests.serve.conftest import numbered, write_clip
from vdiff_jax import media
from vdiff_jax.serve.pictures import upright
from vdiff_jax.serve.previews import write_preview, write_side_by_side


def pictures(path):
    with media.open_reader(path) as reader:
        return np.stack([upright(frame, reader.info) for frame in reader])


def test_a_preview_plays_in_browsers(tmp_path, clip):
    done = []
    info = media.probe(write_preview(clip, tmp_path / "preview.mp4", done.append))
    assert (info.codec, info.pixels.name, info.width, info.height, info.frames) == ("h264", "yuv420p", 64, 48, 8)
    assert done == list(range(1, 9))


def test_odd_sizes_lose_a_line(tmp_path):
    odd = write_clip(tmp_path / "odd.mkv", numbered(2, (49, 65)))
    info = media.probe(write_preview(odd, tmp_path / "preview.mp4"))
    assert (info.width, info.height) == (64, 48)


def test_frames_stand_beside_those_of_their_time(tmp_path, clip):
    after = write_clip(tmp_path / "after.mkv", numbered(16, step=10), rate=20)  # twice the rate
    shown = pictures(write_side_by_side(clip, after, tmp_path / "pair.mp4")).astype(int)
    assert shown.shape[1:] == (48, 132, 3)
    assert np.abs(shown[:, 24, 20, 0] - 20 * (np.arange(16) // 2)).max() <= 3
    assert np.abs(shown[:, 24, 100, 0] - 10 * np.arange(16)).max() <= 3


def test_slow_motion_stands_beside_the_same_moment(tmp_path, clip):
    after = write_clip(tmp_path / "after.mkv", numbered(15, step=10), rate=10)
    shown = pictures(write_side_by_side(clip, after, tmp_path / "pair.mp4", slow=2)).astype(int)
    assert np.abs(shown[:, 24, 20, 0] - 20 * (np.arange(15) // 2)).max() <= 3
