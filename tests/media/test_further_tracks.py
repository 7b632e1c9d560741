"""What a file holds beside its picture and its first sound."""

from fractions import Fraction

import av
import numpy as np

from vdiff_jax.media import further_tracks


def test_tags_and_chapters_are_named(make_clip):
    chapter = {"start": 0, "end": 200, "time_base": Fraction(1, 1000), "id": 1, "metadata": {"title": "one"}}
    clip = make_clip("clip.mkv", metadata={"title": "Film", "artist": "Anna"}, chapters=[chapter], audio="aac")
    assert further_tracks(str(clip.path)) == ["the chapters", "the tags title, artist"]


def test_channels_are_named_where_the_sound_becomes_stereo(tmp_path):
    with av.open(str(tmp_path / "five.mov"), "w") as output:
        sound = output.add_stream("pcm_s16le", rate=48000, layout="5.0")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 5 * 960), np.int16), format="s16", layout="5.0")
        frame.sample_rate, frame.pts = 48000, 0
        output.mux([*sound.encode(frame), *sound.encode(None)])
    assert further_tracks(str(tmp_path / "five.mov"), stereo=True) == ["the channels 5.0"]
    assert further_tracks(str(tmp_path / "five.mov")) == []


def test_a_plain_file_holds_nothing_else(make_clip):
    for name in ("clip.mkv", "clip.mp4"):
        assert further_tracks(str(make_clip(name, codec="libx264", audio="aac").path)) == []
