"""Tags, titles, languages and dispositions: kept, or named (`labels`)."""

import av
import pytest

from vdiff_jax.media.labels import Labels, lost_labels, muxer_options, track_tags

Disposition = av.stream.Disposition
TRACKS = [
    Labels("video", "video track", {}),
    Labels("audio", "audio track 1", {"language": "eng", "title": "Main"}, Disposition.default),
    Labels("subtitle", "subtitle track 2", {"language": "pt-BR"}, Disposition.forced | Disposition.comment),
]
TAGS = {"title": "A film", "MY_TAG": "own"}


def test_matroska_holds_all_labels():
    assert lost_labels("matroska", TRACKS, TAGS, muxer_options("matroska")) == []


def test_what_mp4_and_quicktime_lose_is_named():
    lost = lost_labels("mp4", TRACKS, TAGS, muxer_options("mp4"))
    assert lost == [
        "the tags MY_TAG (.mkv keeps this)",
        "the language pt-BR of the subtitle track 2 (.mkv keeps this)",
    ]
    lost = lost_labels("mov", TRACKS, TAGS, muxer_options("mov"))
    assert "the mark comment, forced of the subtitle track 2 (.mkv keeps this)" in lost


@pytest.mark.parametrize("tag", ["REPLAYGAIN_TRACK_GAIN", "R128_TRACK_GAIN"])
def test_loudness_tags_of_a_track_are_kept_or_named(tag):
    track = [Labels("video", "video track", {}), Labels("audio", "audio track 1", {tag: "-3 dB"})]
    assert lost_labels("mp4", track, {}, muxer_options("mp4")) == [
        f"the tags {tag} of the audio track 1 (.mkv keeps this)"
    ]
    assert lost_labels("matroska", track, {}, {}) == lost_labels("webm", track, {}, {}) == []


def test_titles_and_languages_have_the_container_s_names():
    assert track_tags({"name": "Main", "language": "deu"}, "matroska") == {"title": "Main", "language": "deu"}
    assert track_tags({"title": "Main", "language": "deu"}, "mov") == {"title": "Main", "language": "ger"}


@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.mkv"])
def test_the_tags_of_a_phone_are_kept(make_clip, copy_through, tmp_path, name, caplog):
    place = "com.apple.quicktime.location.ISO6709"
    clip = make_clip("clip.mkv", smooth=True, count=3, metadata={place: "+48.1+011.5/", "title": "A walk"})
    copy_through(clip.path, tmp_path / name)
    with av.open(str(tmp_path / name)) as container:
        tags = {key.lower(): text for key, text in container.metadata.items()}
    assert (tags[place.lower()], tags["title"]) == ("+48.1+011.5/", "A walk")
    assert caplog.text == ""


def test_a_lost_tag_is_in_the_one_warning(make_clip, copy_through, tmp_path, caplog):
    clip = make_clip("clip.mkv", smooth=True, count=3, metadata={"MY_TAG": "own"})
    copy_through(clip.path, tmp_path / "out.mp4")
    [record] = caplog.records
    assert "does not keep: the tags MY_TAG (.mkv keeps this)" in record.getMessage()


def test_the_title_of_an_mp4_track_is_kept(make_clip, copy_through, tmp_path):
    clip = make_clip("clip.mkv", codec="libx264", smooth=True, count=25, audio="aac")
    with av.open(str(clip.path)) as inside, av.open(str(tmp_path / "named.mp4"), "w") as outside:
        copies = {stream.index: outside.add_stream_from_template(stream) for stream in inside.streams}
        copies[1].metadata.update(title="Commentary", language="deu")
        for packet in inside.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                outside.mux(packet)
    copy_through(tmp_path / "named.mp4", tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.audio[0].metadata["title"] == "Commentary"
        assert container.streams.audio[0].language == "deu"
