"""A file can't make us read other files, devices or the network."""

import logging
from pathlib import Path

import av
import pytest

from vdiff_jax.errors import InputError
from vdiff_jax.media import open_reader, probe
from vdiff_jax.media.loudness import has_sound
from vdiff_jax.media.safety import safe_options


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{file}\n#EXT-X-ENDLIST\n", "HLS"),
        ("a.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{file}\n#EXT-X-ENDLIST\n", "HLS"),
        ("a.txt", "ffconcat version 1.0\nfile {file}\n", "concat"),
        ("a.sdp", "v=0\nm=video 5004 RTP/AVP 96\n", "SDP"),
        ("a.mpd", '<?xml version="1.0"?><MPD></MPD>', "XML"),
    ],
)
def test_a_playlist_is_refused_by_name_and_leads_to_no_other_file(make_clip, tmp_path, name, text, kind):
    playlist = tmp_path / name
    playlist.write_text(text.format(file=make_clip().path))
    with pytest.raises(InputError, match=rf"is a playlist \({kind}\)"):
        open_reader(playlist)
    with pytest.raises(av.FFmpegError):
        av.open(str(playlist), container_options=safe_options())
    assert not has_sound(playlist)


def test_a_name_that_looks_like_an_address_is_that_of_a_file(make_clip, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "http:").mkdir()
    (tmp_path / "http:" / "x.mp4").write_bytes(Path(make_clip().path).read_bytes())
    assert probe("http:/x.mp4").width == 64
    with pytest.raises(InputError, match="no such file"):
        open_reader("https://example.invalid/x.mp4")


def test_ordinary_formats_are_read(make_clip, caplog):
    with caplog.at_level(logging.WARNING), open_reader(make_clip().path) as reader:
        assert sum(1 for _ in reader) > 1
    assert not caplog.text
