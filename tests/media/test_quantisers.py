"""The quantisers of coded files."""

import pytest

from vdiff_jax.media import open_reader


@pytest.mark.parametrize(("codec", "name"), [("libx264", "clip.mp4"), ("libx265", "clip.mkv")])
def test_frames_of_a_file_have_quantisers(make_clip, codec, name):
    options = {"crf": "40", "x265-params": "log-level=none"} if codec == "libx265" else {"crf": "40"}
    clip = make_clip(name, codec=codec, options=options, smooth=True, count=5, fmt="yuv420p")
    with open_reader(clip.path) as reader:
        assert all(25 < frame.quantiser <= 51 for frame in reader)


@pytest.mark.parametrize(("codec", "options"), [("libx264", {"preset": "slow", "crf": "30"}), ("mpeg4", {"bf": "2"})])
def test_quantisers_are_the_same_each_time(make_clip, codec, options):
    clip = make_clip("clip.mp4", codec=codec, options=options, count=16, size=(480, 320), fmt="yuv420p")
    told = set()
    for _ in range(6):
        with open_reader(clip.path) as reader:
            told.add(tuple(frame.quantiser for frame in reader))
    assert len(told) == 1
    assert all(1 < quantiser <= 62 for quantiser in told.pop())


def test_a_codec_without_quantisers_has_none(make_clip):
    with open_reader(make_clip("clip.mkv", codec="ffv1").path) as reader:
        assert {frame.quantiser for frame in reader} == {None}
