"""Tags, titles, languages and dispositions, and which of them a container holds. FFmpeg's muxers drop others silently.

What is dropped depends on the container and FFmpeg's version, so a header is written in memory and read again.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import av

from vdiff_jax.media.covers import main_video
from vdiff_jax.media.probe import open_container

# MP4 stores where a track starts in units of movie_timescale; the default of 1 ms would shift sound against picture.
_ISO_OPTIONS = {"movflags": "+faststart", "movie_timescale": "240000"}
_MUXER_OPTIONS = {"mp4": _ISO_OPTIONS, "mov": _ISO_OPTIONS, "yuv4mpegpipe": {"strict": "-1"}}
_Disposition = av.stream.Disposition
ISO_CONTAINERS = ("mp4", "mov")
_CODECS = {
    "mp4": {"video": "mpeg4", "audio": "aac", "subtitle": "mov_text"},
    "mov": {"video": "mpeg4", "audio": "aac", "subtitle": "mov_text"},
    "matroska": {"video": "mpeg4", "audio": "ac3", "subtitle": "ass"},
    "webm": {"video": "libvpx-vp9", "audio": "libopus", "subtitle": "webvtt"},
}
"""An encoder of each kind of track in each container."""
_INFERRED = _Disposition.default | _Disposition.captions
"""Dispositions that FFmpeg infers from others when it reads MP4."""
_SUBTITLE_HEADER = b"""[Script Info]

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,16

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
_CLUSTER_AT_0 = b"\x1f\x43\xb6\x75\x83\xe7\x81\x00"  # FFmpeg reads no Matroska header without a cluster behind it
_REVERSE_DOMAIN = ("com.", "org.")
"""How the tags of phones and cameras begin. Only MP4's list of metadata keys (mdta) holds them."""
_TECHNICAL = ("handler_name", "vendor_id", "creation_time", "timecode", "language", "title", "name", "encoder")
"""Tags of a track that the muxer writes itself, or that are compared in another way."""
QUICKTIME_LANGUAGES = {
    "deu": "ger",
    "nld": "dut",
    "ell": "gre",
    "isl": "ice",
    "zho": "chi",
    "sqi": "alb",
    "mkd": "mac",
    "hye": "arm",
    "kat": "geo",
    "bod": "tib",
    "mya": "bur",
    "msa": "may",
    "cym": "wel",
    "eus": "baq",
}
"""The codes of ISO 639-2 that QuickTime knows, by the other code of the same language."""


class Labels(NamedTuple):
    """What a track is called.

    Attributes:
        kind: "video", "audio" or "subtitle".
        name: how messages call the track.
        tags: its metadata, with `title` and `language`.
        disposition: its dispositions.
    """

    kind: str
    name: str
    tags: Mapping[str, str]
    disposition: av.stream.Disposition = av.stream.Disposition(0)


def muxer_options(container: str, copy_from: str | None = None) -> dict[str, str]:
    """The muxer's options, with which MP4 and MOV hold the tags of the file `copy_from`.

    Phones and cameras write tags such as `com.apple.quicktime.location.ISO6709` as metadata keys. An MP4 with metadata
    keys can't hold a cover picture.
    """
    options = _MUXER_OPTIONS.get(container, {})
    if container not in ISO_CONTAINERS or copy_from is None:
        return options
    with open_container(copy_from, copy_from) as source:
        keyed = any(key.lower().startswith(_REVERSE_DOMAIN) for key in source.metadata)
        main = main_video(source)
        covers = any(stream.index != main for stream in source.streams.video)
    if not keyed or covers:
        return options
    return options | {"movflags": options["movflags"] + "+use_metadata_tags"}


def track_tags(tags: Mapping[str, str], container: str) -> dict[str, str]:
    """A track's tags as the container names them: MP4 calls a title `name`, and QuickTime has languages of its own."""
    named = dict(tags)
    if name := named.pop("name", None):
        named.setdefault("title", name)
    if container == "mov" and named.get("language") in QUICKTIME_LANGUAGES:
        named["language"] = QUICKTIME_LANGUAGES[named["language"]]
    return named


def lost_labels(
    container: str, tracks: Sequence[Labels], tags: Mapping[str, str], options: Mapping[str, str]
) -> list[str]:
    """What the container does not hold of these labels, each with the output that keeps it.

    Args:
        container: FFmpeg's name of the muxer.
        tracks: the labels of the tracks.
        tags: the tags of the whole file.
        options: the muxer's options.
    """
    kept_tracks, kept_tags = _written_and_read(container, tracks, tags, options)
    lost = []
    if missing := _missing(tags, kept_tags):
        lost.append(f"the tags {', '.join(missing)}")
    for track, kept in zip(tracks, kept_tracks, strict=False):
        lost += [f"{what} of the {track.name}" for what in _lost_of(track, kept)]
    return lost if container == "matroska" else [f"{what} (.mkv keeps this)" for what in lost]


def _lost_of(track: Labels, kept: Labels) -> Iterator[str]:
    title = track.tags.get("title", "")
    if title not in ("", kept.tags.get("title"), kept.tags.get("name")):
        yield f"the title {title!r}"
    language = track.tags.get("language", "und")
    if language not in ("", "und", kept.tags.get("language")):
        yield f"the language {language}"
    gone = track.disposition & ~kept.disposition & ~_INFERRED
    if names := [str(each.name).replace("_", " ") for each in _Disposition if each & gone]:
        yield f"the mark {', '.join(names)}"
    if missing := _missing({key: text for key, text in track.tags.items() if key not in _TECHNICAL}, kept.tags):
        yield f"the tags {', '.join(missing)}"


def _missing(tags: Mapping[str, str], kept: Mapping[str, str]) -> list[str]:
    lower = {key.lower(): text for key, text in kept.items()}
    return [key for key, text in tags.items() if key not in _TECHNICAL and text and lower.get(key.lower()) != text]


def _written_and_read(
    container: str, tracks: Sequence[Labels], tags: Mapping[str, str], options: Mapping[str, str]
) -> tuple[list[Labels], dict[str, str]]:
    """The labels of a file without packets."""
    file, iso = io.BytesIO(), container in ISO_CONTAINERS
    flags = {"movflags": options.get("movflags", "").replace("+faststart", "") + "+empty_moov"} if iso else {}
    with av.open(file, "w", format=container, container_options=flags) as output:
        for track in tracks:
            stream = output.add_stream(_CODECS[container][track.kind])
            if isinstance(stream, av.VideoStream):
                stream.width, stream.height, stream.pix_fmt = 16, 16, "yuv420p"
            elif track.kind == "subtitle":
                stream.codec_context.subtitle_header = _SUBTITLE_HEADER
            stream.metadata.update(track.tags)
            stream.disposition = track.disposition
        output.metadata.update(tags)
        output.start_encoding()
        header = file.getvalue() + (b"" if iso else _CLUSTER_AT_0)
    with av.open(io.BytesIO(header), metadata_errors="replace") as read:
        kept = [Labels(stream.type, "", stream.metadata, stream.disposition) for stream in read.streams]
        return kept, dict(read.metadata)
