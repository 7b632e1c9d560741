"""Attachments of Matroska files: read, and written where an encoded video is joined by its source's other tracks."""

import contextlib
import dataclasses
import os
from fractions import Fraction

import av

from vdiff_jax.errors import OutputError
from vdiff_jax.media.probe import choose_stream, open_container
from vdiff_jax.media.sources import Source
from vdiff_jax.media.tracks import ATTACHMENT_NAME, Tracks
from vdiff_jax.media.video import VideoInfo

ATTACHMENT_TYPE = "application/x-vdiff"


def read_attachment(source: Source) -> bytes | None:
    """What `remux` attached to a file; None if there is none, or if it is no file that FFmpeg reads.

    Raises:
        InputError: it can't be read at all.
    """
    name = os.fspath(source)
    if not os.path.isfile(name):
        return None
    with open_container(name, name) as container:
        for stream in container.streams:
            if stream.type == "attachment" and stream.metadata.get("filename") == ATTACHMENT_NAME:
                return bytes(stream.data)
    return None


def video_bytes(source: Source) -> int:
    """The size of a file's video track."""
    name = os.fspath(source)
    with open_container(name, name) as container:
        return sum(packet.size for packet in container.demux(choose_stream(container, name)))


def remux(
    video: Source, target: Source, attachment: bytes | None, info: VideoInfo, *, copy_from: Source | None, lead: int
) -> None:
    """Writes a Matroska file: a video's track, an attachment, and another file's sound, subtitles and metadata.

    PyAV writes attachments with the header alone, so that what is attached has to be known before the first packet.

    Args:
        video: the file whose track is taken as it is.
        target: the file to write.
        attachment: what `read_attachment` is to find; none where None.
        info: of the source, whose times the tracks of `copy_from` keep.
        copy_from: the source, if it is a file.
        lead: milliseconds by which all is moved, so that nothing begins before 0.

    Raises:
        OutputError: it can't be written.
    """
    try:
        _remux(os.fspath(video), os.fspath(target), attachment, info, copy_from and os.fspath(copy_from), lead)
    except (av.FFmpegError, OSError) as error:
        raise OutputError(f"{target} can't be written: {error.strerror or error}") from error


def _remux(
    video: str, target: str, attachment: bytes | None, info: VideoInfo, copy_from: str | None, lead: int
) -> None:
    with contextlib.ExitStack() as stack:
        source = stack.enter_context(open_container(video, video))
        output = stack.enter_context(av.open(f"file:{target}", "w", format="matroska"))
        kept = choose_stream(source, video)
        stream = output.add_stream_from_template(kept, opaque=True)  # its decoder's name may be no encoder's
        stream.codec_context.framerate = info.rate  # so that only frames of another duration are told theirs
        tracks = None
        if copy_from is not None:
            later = dataclasses.replace(info, start=info.start - Fraction(lead, 1000))
            tracks = Tracks(copy_from, output, "matroska", later)
            stack.callback(tracks.close)
            stream.metadata.update(tracks.video_metadata)
        if attachment is not None:
            output.add_attachment(ATTACHMENT_NAME, ATTACHMENT_TYPE, attachment)
        output.start_encoding()
        shift = round(Fraction(lead, 1000) / kept.time_base)
        for packet in source.demux(kept):
            if packet.dts is None:
                continue
            time = packet.dts * packet.time_base
            packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
            output.mux(packet)
            if tracks is not None:
                tracks.advance(time, output.mux)
        if tracks is not None:
            tracks.advance(None, output.mux)


def audio_lead(source: Source | None, info: VideoInfo) -> int:
    """Milliseconds, rounded up, by which a file's sound begins before its picture's start: an encoder's run-in."""
    if source is None or not os.path.isfile(source):
        return 0
    name = os.fspath(source)
    earliest = info.start
    with open_container(name, name) as container:
        sounds = [stream for stream in container.streams.audio if stream.codec_context is not None]
        seen: set[int] = set()
        for packet in container.demux(sounds) if sounds else ():
            if packet.pts is not None:
                earliest = min(earliest, packet.pts * packet.time_base)
                seen.add(packet.stream.index)
            if len(seen) == len(sounds) or packet.pts is None:
                break
    late = info.start - earliest
    return -(-late.numerator * 1000 // late.denominator) if late > 0 else 0
