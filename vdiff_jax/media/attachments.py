"""The attachment of a compressed file: reading it, and remuxing a video track with it.

It is text in the file's metadata, which FFmpeg's stream copy keeps. Earlier versions attached a file in Matroska.
"""

import contextlib
import os
import zlib
from collections.abc import Sequence
from fractions import Fraction

import av

from vdiff_jax.errors import OutputError
from vdiff_jax.media.attachment_text import KEY, attachment_in, with_attachment
from vdiff_jax.media.fidelity import warn_of_losses
from vdiff_jax.media.labels import muxer_options
from vdiff_jax.media.mux import HEVC_TAG
from vdiff_jax.media.probe import choose_stream, open_container
from vdiff_jax.media.sources import Source
from vdiff_jax.media.tracks import ATTACHMENT_NAME, Tracks
from vdiff_jax.media.video import VideoInfo

_MARKED = 16
"""Bytes of a key frame that its mark is computed from."""
_KEY_FRAMES = 250
"""Frames from one key frame to the next, by most encoders' defaults."""


def read_attachment(source: Source) -> bytes | None:
    """The bytes that `remux` attached to a file; None if there are none, or if `source` is not a regular file.

    Raises:
        InputError: FFmpeg cannot read the file.
    """
    name = os.fspath(source)
    if not os.path.isfile(name):
        return None
    with open_container(name, name) as container:
        for stream in container.streams:
            if stream.type == "attachment" and stream.metadata.get("filename") == ATTACHMENT_NAME:
                return bytes(stream.data)
        return attachment_in(container.metadata)


def video_bytes(source: Source) -> int:
    """The total size of the packets in a file's video track."""
    name = os.fspath(source)
    with open_container(name, name) as container:
        return sum(packet.size for packet in container.demux(choose_stream(container, name)))


def packet_sizes(source: Source) -> list[int]:
    """The size of each packet of a file's video track."""
    name = os.fspath(source)
    with open_container(name, name) as container:
        return [packet.size for packet in container.demux(choose_stream(container, name)) if packet.size]


def expected_bytes(samples: Sequence[Sequence[int]], count: int) -> int:
    """The bytes of a track of `count` frames, from the packets' sizes of samples, which were encoded separately.

    A sample begins with a key frame, which is large. In the track, one frame in `_KEY_FRAMES` is sure to be one.
    """
    first, others = [sizes[0] for sizes in samples], [size for sizes in samples for size in sizes[1:]]
    if not others or len(first) + len(others) >= count:
        return round((sum(first) + sum(others)) * count / (len(first) + len(others)))
    keys = -(-count // _KEY_FRAMES)
    return round(sum(first) / len(first) * keys + sum(others) / len(others) * (count - keys))


def key_frame_marks(source: Source) -> list[int]:
    """A mark of 16 bits for each key frame of a file's video track. Copying the track keeps them, encoding it does not.

    A mark is a checksum of the last bytes of the coded frame, because some formats put other bytes before the first.
    """
    name = os.fspath(source)
    with open_container(name, name) as container:
        packets = container.demux(choose_stream(container, name))
        return [
            zlib.crc32(bytes(packet)[-_MARKED:]) & 0xFFFF for packet in packets if packet.size and packet.is_keyframe
        ]


def frame_times(source: Source) -> list[Fraction]:
    """Seconds, in the file's own time, at which its frames are shown, in ascending order. None is decoded."""
    name = os.fspath(source)
    if not os.path.isfile(name):
        return []
    with open_container(name, name) as container:
        packets = container.demux(choose_stream(container, name))
        return sorted(packet.pts * packet.time_base for packet in packets if packet.size and packet.pts is not None)


def remux(
    video: Source, target: Source, attachment: bytes | None, info: VideoInfo, *, copy_from: Source | None
) -> None:
    """Writes one file's video track, an attachment, and another file's sound, subtitles and metadata into a file.

    Both formats hold the attachment before the first packet, so it must be known before that.

    Args:
        video: the file whose video track is copied unchanged.
        target: the file to write: an MP4 if its name ends in .mp4, else Matroska.
        attachment: the bytes that `read_attachment` will return; None for no attachment.
        info: properties of the source; the tracks of `copy_from` are timed relative to its start.
        copy_from: the source, if it is a file.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        _remux(os.fspath(video), os.fspath(target), attachment, info, copy_from and os.fspath(copy_from))
    except (av.FFmpegError, OSError) as error:
        raise OutputError(f"{target} can't be written: {error.strerror or error}") from error


def _remux(video: str, target: str, attachment: bytes | None, info: VideoInfo, copy_from: str | None) -> None:
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_container(video, video))
        container = "mp4" if target.lower().endswith(".mp4") else "matroska"
        options = muxer_options(container, copy_from)
        output = stack.enter_context(av.open(f"file:{target}", "w", format=container, container_options=options))
        kept = choose_stream(source, video)
        stream = output.add_stream_from_template(kept, opaque=True)  # an encoder of the decoder's name may not exist
        stream.codec_context.framerate = info.rate  # packets of this duration then store none
        if info.sample_aspect:  # of AV1, only the container stores it
            stream.codec_context.sample_aspect_ratio = info.sample_aspect
        if container == "mp4" and stream.codec_context.name == "hevc":
            stream.codec_context.codec_tag = HEVC_TAG
        tracks = None
        if copy_from is not None:
            tracks = Tracks(copy_from, output, container, info)
            stack.callback(tracks.close)
            warn_of_losses(tracks.lost, "the compressed file")
            stream.disposition = av.stream.Disposition.default
            stream.metadata.update(tracks.video_metadata)
        if attachment is not None:
            key = next((key for key in output.metadata if key.lower() == KEY), KEY)  # Matroska's is COMMENT
            output.metadata[key] = with_attachment(output.metadata.get(key, ""), attachment)
        output.start_encoding()
        for packet in source.demux(kept):
            if packet.dts is None:
                continue
            time = packet.dts * packet.time_base
            packet.stream = stream
            output.mux(packet)
            if tracks is not None:
                tracks.advance(time, output.mux)
        if tracks is not None:
            tracks.advance(None, output.mux)
