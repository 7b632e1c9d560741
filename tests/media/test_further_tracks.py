"""What a file holds beside its picture and its first sound."""

from fractions import Fraction

from vdiff_jax.media import further_tracks


def test_tags_and_chapters_are_named(make_clip):
    chapter = {"start": 0, "end": 200, "time_base": Fraction(1, 1000), "id": 1, "metadata": {"title": "one"}}
    clip = make_clip("clip.mkv", metadata={"title": "Film", "artist": "Anna"}, chapters=[chapter], audio="aac")
    assert further_tracks(str(clip.path)) == ["the chapters", "the tags title, artist"]


def test_a_plain_file_holds_nothing_else(make_clip):
    for name in ("clip.mkv", "clip.mp4"):
        assert further_tracks(str(make_clip(name, codec="libx264", audio="aac").path)) == []
