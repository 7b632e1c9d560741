"""Opening a file with FFmpeg and describing its video."""

import contextlib
import itertools
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction

import av
import numpy as np

from vdiff_jax.errors import InputError
from vdiff_jax.media.chroma_location import chroma_location
from vdiff_jax.media.deinterlace import shows_bottom_first
from vdiff_jax.media.fidelity import hdr_metadata, unsupported_side_data
from vdiff_jax.media.planes import RANGE_FULL, pixel_format
from vdiff_jax.media.safety import playlist_kind, safe_options
from vdiff_jax.media.sources import Readable
from vdiff_jax.media.video import ColourTags, VideoInfo, rotation_of

# FFmpeg renders text files as pictures; nobody who passes one wants that.
TEXT_DEMUXERS = frozenset({"tty", "bin", "xbin", "adf", "idf"})
FALLBACK_RATE = Fraction(25)
# Of recordings joined byte by byte, the streams of a transport stream continue under other numbers.
JOINED_OPTIONS = {"merge_pmt_versions": "1"}


def open_container(file: str | Readable, name: str) -> av.container.InputContainer:
    """Opens a file, or what a pipe gives, for reading; messages call it `name`.

    Raises:
        InputError: no such file, a named pipe, empty, no permission, or no format that FFmpeg knows.
    """
    if isinstance(file, str):
        if not os.path.exists(file):
            raise InputError(f"no such file: {name}")
        if stat.S_ISFIFO(os.stat(file).st_mode):
            raise InputError(
                f"{name} is a named pipe, which can be read only once: write it to a file, or pipe YUV4MPEG2 into -"
            )
        if os.path.isfile(file) and os.path.getsize(file) == 0:
            raise InputError(f"{name} is empty")
        if os.path.isfile(file) and (kind := playlist_kind(file)):
            raise InputError(f"{name} is a playlist ({kind}), and the files that it names are not read: pass them")
        file = f"file:{file}"  # so that FFmpeg does not take a name with a colon for a protocol
    try:
        container = av.open(file, "r", metadata_errors="replace", container_options=safe_options() | JOINED_OPTIONS)
    except PermissionError as error:
        raise InputError(f"{name} can't be read: no permission") from error
    except (av.FFmpegError, OSError) as error:
        piped = "" if isinstance(file, str) else ", or can't be read in one pass: pipe YUV4MPEG2, or pass a file"
        raise InputError(f"{name} is not a video, or its header is missing or damaged{piped}") from error
    if container.format.name in TEXT_DEMUXERS:
        container.close()
        raise InputError(f"{name} is a text file, not a video")
    return container


def demuxed(container: av.container.InputContainer, *streams: av.stream.Stream) -> Iterator[av.Packet]:
    """The packets of some streams, or of all.

    Where further streams begin within the file, PyAV raises IndexError at the end, after the last packet.

    Raises:
        av.FFmpegError: the file is damaged.
    """
    with contextlib.suppress(IndexError):
        yield from container.demux(*streams)


def choose_stream(container: av.container.InputContainer, name: str) -> av.VideoStream:
    """The video stream that players show, never a cover picture. All other streams are discarded.

    Raises:
        InputError: the file has no video stream, or this FFmpeg has no decoder for it.
    """
    attached = av.stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & attached]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise InputError(f"{name} has no video stream, only: {kinds}")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        raise InputError(f"{name}: this FFmpeg has no decoder for its video")
    for other in container.streams:
        if other is not stream:
            other.discard = av.stream.Discard.all
    return stream


def describe(
    container: av.container.InputContainer, stream: av.VideoStream, frames: Sequence[av.VideoFrame], *, path: str | None
) -> VideoInfo:
    """The properties of a video from its header and its first decoded frames; `start` is 0."""
    first = frames[0]
    tags = _tags(stream, first)
    matrix = _display_matrix(first)
    interlaced = any(frame.interlaced_frame for frame in frames)
    fields = packets_of_a_frame(stream, frames)
    rate = _rate(stream) / fields
    duration, _ = declared_duration(container, stream)
    mastering_display, content_light = hdr_metadata(frames)
    pixels = pixel_format(first.format, matrix_tag=tags.matrix, range_tag=tags.range, height=first.height)
    return VideoInfo(
        path=path,
        width=first.width,
        height=first.height,
        pixels=pixels,
        rate=rate,
        time_base=Fraction(stream.time_base),
        frames=stream.frames // fields or (round(duration * rate) if duration else None),
        duration=float(duration) if duration else None,
        rotation=rotation_of(matrix),
        display_matrix=matrix,
        sample_aspect=stream.sample_aspect_ratio or None,
        tags=tags,
        codec=stream.codec_context.codec.canonical_name,
        has_audio=any(other.type == "audio" for other in container.streams),
        chroma_location=chroma_location(stream) if pixels.subsampling == (2, 2) else "",
        interlaced=interlaced,
        field_order=field_order(stream, frames) if interlaced else stream.codec_context.field_order,
        mastering_display=mastering_display,
        content_light=content_light,
        unsupported_side_data=unsupported_side_data(frames),
    )


def _rate(stream: av.VideoStream) -> Fraction:
    """Frames per second. Of DV, FFmpeg takes one frame for each unit of its time base as the average."""
    average, guessed = stream.average_rate, stream.guessed_rate
    if average and guessed and average > 4 * guessed:
        return Fraction(guessed)
    return Fraction(average or guessed or FALLBACK_RATE)


def packets_of_a_frame(stream: av.VideoStream, frames: Sequence[av.VideoFrame]) -> int:
    """2 where each field of interlaced video has a packet of its own, of which FFmpeg counts the rate; else 1."""
    base = Fraction(stream.time_base)
    times = [frame.pts * base for frame in frames if frame.pts is not None and frame.interlaced_frame]
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    whole = 2 / _rate(stream)
    return 2 if len(steps) > 1 and all(abs(step - whole) < whole / 10 for step in steps) else 1


def field_order(stream: av.VideoStream, frames: Iterable[av.VideoFrame]) -> int:
    """FFmpeg's number of the order of an interlaced video's fields, which DV's header does not give."""
    known = stream.codec_context.field_order
    return known if known > 1 else 3 if shows_bottom_first(frames) else 2


def alpha_decoder(stream: av.VideoStream) -> av.VideoCodecContext | None:
    """A decoder of the transparency of VP8 and VP9, which FFmpeg's own decoders drop; None for other streams."""
    name = {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(stream.codec_context.codec.canonical_name)
    tagged = any(key.lower() == "alpha_mode" and value == "1" for key, value in stream.metadata.items())
    if name is None or not tagged:
        return None
    try:
        return av.CodecContext.create(name, "r")
    except ValueError:  # an FFmpeg without libvpx
        return None


def declared_duration(container: av.container.InputContainer, stream: av.VideoStream) -> tuple[Fraction | None, bool]:
    """The duration of the video in seconds as the file declares it, and whether it is the video stream's own.

    Some containers declare only the duration of their longest stream.
    """
    if stream.duration:
        return stream.duration * Fraction(stream.time_base), True
    start = _start(container, stream)
    tag = next((text for key, text in stream.metadata.items() if key.upper().startswith("DURATION")), "")
    if match := re.fullmatch(r"(\d+):(\d+):(\d+(?:\.\d+)?)", tag.strip()):
        hours, minutes, seconds = match.groups()
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds) - start, True
    whole = Fraction(container.duration, av.time_base) - _zero(container) if container.duration else None
    return whole, len(container.streams) == 1


def declared_frames(source: str | os.PathLike[str]) -> int | None:
    """How many frames or fields a file declares, without decoding any; `None` if it does not say.

    Raises:
        InputError: as for `open_container` and `choose_stream`.
    """
    name = os.fspath(source)
    with open_container(name, name) as container:
        stream = choose_stream(container, name)
        duration, _ = declared_duration(container, stream)
        return stream.frames or (round(duration * _rate(stream)) if duration else None)


def _start(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction:
    """Seconds from the time that the declared duration begins with to the start of the video."""
    start = (stream.start_time or 0) * Fraction(stream.time_base) - Fraction(container.start_time or 0, av.time_base)
    return max(start, Fraction(0)) + _zero(container)


def _zero(container: av.container.InputContainer) -> Fraction:
    """Seconds of a Matroska file before its start, which FFmpeg's muxer includes in the durations that it declares."""
    own = next((text for key, text in container.metadata.items() if key.lower() == "encoder"), "")
    late = "matroska" in container.format.name and own.startswith("Lavf") and container.start_time
    return Fraction(max(container.start_time, 0), av.time_base) if late else Fraction(0)


def _tags(stream: av.VideoStream, first: av.VideoFrame) -> ColourTags:
    context = stream.codec_context
    colour_range = first.color_range or context.color_range or (RANGE_FULL if "yuvj" in first.format.name else 0)

    def known(frame_tag: int, stream_tag: int) -> int:
        return frame_tag if frame_tag != 2 else stream_tag

    return ColourTags(
        primaries=known(first.color_primaries, context.color_primaries),
        transfer=known(first.color_trc, context.color_trc),
        matrix=known(first.colorspace, context.colorspace),
        range=colour_range,
    )


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The frame's display matrix, None if it is the identity."""
    side = frame.side_data.get("DISPLAYMATRIX")
    if side is None:
        return None
    matrix = tuple(int(v) for v in np.frombuffer(bytes(side), "<i4"))
    one = 1 << 16
    return None if matrix[:2] == (one, 0) and matrix[3:5] == (0, one) else matrix
