"""Encoding frames and muxing them with the other tracks into a file."""

import contextlib
import dataclasses
import logging
import sys
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

import av
import numpy as np

from vdiff_jax.errors import OutputError
from vdiff_jax.media.colour import convert
from vdiff_jax.media.decoding_times import X265_DELAY, decode_in_order
from vdiff_jax.media.encoders import choose_encoding, keep_scheduling_priority
from vdiff_jax.media.fidelity import BOTTOM_FIRST, holds_fields, losses
from vdiff_jax.media.filters import filter_graph
from vdiff_jax.media.labels import muxer_options
from vdiff_jax.media.palette import indexed
from vdiff_jax.media.pictures import picture_of
from vdiff_jax.media.planes import frame_of
from vdiff_jax.media.segments import Segment, packets_of
from vdiff_jax.media.tracks import COPY, Tracks
from vdiff_jax.media.video import VideoInfo, rotated, rotated_subsampling, turn
from vdiff_jax.pixels import Frame

logger = logging.getLogger(__name__)
HEVC_TAG = "hvc1"
"""The tag of HEVC in MP4 that Apple's players need."""
TRACK_CONTAINERS = frozenset({"mp4", "mov", "matroska", "webm"})
_TOLERANCE = 128_000
"""Bits per second by which an encoder may miss its rate."""


class FileSink:
    """Encodes frames into a file, or to stdout where `path` is None. Opening writes the header: errors come early."""

    def __init__(
        self,
        path: str | None,
        container: str,
        info: VideoInfo,
        *,
        codec: str | None,
        options: dict[str, str] | None,
        copy_from: str | None,
        audio_codec: str = COPY,
        noise: float | None = None,
        frugal: bool = False,
    ):
        self._source = info
        self._rotates = info.display_matrix is not None and not _holds_rotation(container)
        self._encoding = choose_encoding(
            container, rotated(info) if self._rotates else info, codec, options, noise=noise, frugal=frugal
        )
        self._container = container
        self._tracks: Tracks | None = None
        self._count, self._uneven = 0, False
        self._taken = 0  # frames that the encoder has taken
        self._first: Fraction | None = None
        self._last: int | None = None
        self._pending: av.Packet | None = None
        self._marked: av.filter.Graph | None = None  # marks frames as interlaced
        self._delay: int | None = None
        self._last_shown: tuple[int, int] | None = None  # pts and duration of the packet with the largest pts
        self._last_decoded: int | None = None  # the largest dts
        self._segment: Segment | None = None  # passes packets on, where they are kept
        self._piped = path is None
        file = sys.stdout.buffer if path is None else f"file:{path}"
        self._output = av.open(file, "w", format=container, container_options=muxer_options(container, copy_from))
        try:
            self._stream = self._add_stream()
            self._stream.disposition = av.stream.Disposition.default
            self._encoder: av.VideoCodecContext | None = self._stream.codec_context
            if copy_from is not None and container in TRACK_CONTAINERS:
                self._tracks = Tracks(copy_from, self._output, container, info, audio_codec=audio_codec)
                self._stream.metadata.update(self._tracks.video_metadata)
            self._output.start_encoding()
        except BaseException as error:
            self.abort()
            if self._encoding.codec == "rawvideo" and isinstance(error, av.ArgumentError):
                raise self._unfit(f"rawvideo video of {self._encoding.pixels.name}") from error
            raise

    def _add_stream(self) -> av.VideoStream:
        encoding, info = self._encoding, self._encoding.info
        try:
            rate = info.rate.limit_denominator(1_000_000)
            stream = self._output.add_stream(
                encoding.codec, rate=rate, options=encoding.options, bit_rate=0, bit_rate_tolerance=_TOLERANCE
            )
        except ValueError as error:
            raise self._unfit(f"{encoding.codec} video") from error
        stream.time_base = info.time_base
        self._open(stream.codec_context)
        if info.display_matrix is not None:
            stream.set_display_matrix(info.display_matrix)
        return stream

    def _open(self, context: av.VideoCodecContext) -> None:
        """Sets the encoder up and opens it."""
        encoding, info = self._encoding, self._encoding.info
        context.width, context.height = info.width, info.height
        context.pix_fmt = "pal8" if self._container == "gif" else encoding.packed or encoding.pixels.name
        context.time_base = info.time_base
        context.thread_count = 0
        flags = av.codec.context.Flags
        context.flags |= flags.frame_duration
        if holds_fields(encoding.codec, info):
            context.flags |= flags.interlaced_dct | flags.interlaced_me
        if info.sample_aspect:
            context.sample_aspect_ratio = info.sample_aspect
        _tag(context, info)
        if encoding.codec == "libx265" and self._container in ("mp4", "mov"):
            context.codec_tag = HEVC_TAG
        try:
            with keep_scheduling_priority():
                context.open()
        except (av.FFmpegError, ValueError) as error:
            raise self._refusal() from error

    def _another_encoder(self) -> av.VideoCodecContext:
        """An encoder like the first one, which has been flushed and takes no further frames."""
        first = self._stream.codec_context
        context = av.CodecContext.create(self._encoding.codec, "w")
        context.bit_rate, context.bit_rate_tolerance = 0, _TOLERANCE
        context.framerate, context.flags = first.framerate, first.flags
        context.options = dict(self._encoding.options)
        self._open(context)
        return context

    def _unfit(self, video: str) -> OutputError:
        other = "pass another codec, such as ffv1" if self._container == "matroska" else "use .mkv"
        return OutputError(f"{self._container} can't hold {video}: {other}")

    def _refusal(self) -> OutputError:
        encoding = self._encoding
        options = " ".join(f"{key}={value}" for key, value in encoding.options.items())
        size = f"{encoding.info.width}x{encoding.info.height}"
        return OutputError(
            f"the encoder {encoding.codec} rejects {size} {encoding.pixels.name} with {options or 'its defaults'}"
        )

    def losses(self) -> list[str]:
        """What the file does not keep of the video, each with the output that would."""
        tracks = [] if self._tracks is None else self._tracks.lost
        return losses(self._source, self._container, self._encoding.codec, self._encoding.pixels) + tracks

    def write(self, frame: Frame) -> None:
        """Encodes and muxes a frame."""
        encoding = self._encoding
        picture = self._indexed(frame) if self._container == "gif" else self._planar(frame)
        picture.pts, picture.duration = self._stamp(frame)
        picture.time_base = encoding.info.time_base
        picture = self._with_fields(picture)
        _tag(picture, encoding.info)
        self._mux(self._encoded(picture))

    def keep(
        self,
        segments: Iterable[tuple[object, Sequence[np.ndarray]]],
        frames: int,
        put: Callable[[list[np.ndarray]], object],
    ) -> None:
        """Muxes the packets of an earlier run, and passes on those to come.

        Args:
            segments: the names and the arrays that `put` was given.
            frames: how many frames they have.
            put: takes arrays of packets. After `cut`, it has those of all frames so far.
        """
        self._segment = Segment(put)
        for name, arrays in segments:
            self._mux(packets_of(arrays, name))
        self._count = frames
        if self._last_shown is not None:
            self._last = self._last_shown[0]

    def cut(self) -> None:
        """Completes the packets of the frames so far."""
        self._mux(self._encoded(None))
        self._encoder = None
        if self._segment is not None:
            self._segment.flush()

    def _encoded(self, picture: av.VideoFrame | None) -> list[av.Packet]:
        """The packets that the encoder gives for a picture; `None` for those that remain."""
        if self._encoder is None:
            if picture is None:
                return []
            self._encoder, self._taken = self._another_encoder(), 0
        packets = self._encoder.encode(picture)
        self._taken += picture is not None
        if self._encoding.codec == "libx265" and picture is None and self._taken <= X265_DELAY:
            decode_in_order(packets)
        if self._segment is not None:
            for packet in packets:
                self._segment.add(packet)
        return packets

    def _with_fields(self, picture: av.VideoFrame) -> av.VideoFrame:
        """The picture marked with its order of fields, where the encoder stores it. Only a filter can set the mark."""
        encoding = self._encoding
        if not holds_fields(encoding.codec, encoding.info):
            return picture
        if self._marked is None:
            mode = "bff" if encoding.info.field_order in BOTTOM_FIRST else "tff"
            self._marked = filter_graph(picture, [("setfield", mode)], encoding.info.time_base)
        pts, duration = picture.pts, picture.duration
        self._marked.vpush(picture)
        marked = self._marked.vpull()
        marked.pts, marked.duration, marked.time_base = pts, duration, encoding.info.time_base
        return marked

    def _planar(self, frame: Frame) -> av.VideoFrame:
        encoding, planes = self._encoding, frame.planes
        if self._rotates:
            planes = tuple(turn(plane, self._source.display_matrix) for plane in planes)
        source = self._source.pixels
        pixels = dataclasses.replace(
            source, subsampling=rotated_subsampling(self._source) if self._rotates else source.subsampling
        )
        picture = frame_of(convert(planes, pixels, encoding.pixels), encoding.pixels)
        return picture if encoding.packed is None else picture.reformat(format=encoding.packed)

    def _indexed(self, frame: Frame) -> av.VideoFrame:
        picture = picture_of(frame.planes, self._source.pixels, deep=False)
        return indexed(turn(picture, self._source.display_matrix))

    def _stamp(self, frame: Frame) -> tuple[int, int]:
        """Pts and duration in the encoder's time base. YUV4MPEG2 has no time stamps, so its frames are counted."""
        ratio = self._source.time_base / self._encoding.info.time_base
        exact = frame.pts * ratio
        self._first = exact if self._first is None else self._first
        pts = round(exact)
        if self._container == "yuv4mpegpipe":
            pts = self._count
            if not self._uneven and abs(exact - self._first - self._count) > 1:
                self._uneven = True
                logger.warning(
                    "YUV4MPEG2 has no time stamps: these unevenly spaced frames are written as evenly spaced"
                )
        pts = pts if self._last is None else max(pts, self._last + 1)
        self._count, self._last = self._count + 1, pts
        return pts, max(1, round(frame.duration * ratio)) if frame.duration else 0

    def _mux(self, packets: Iterable[av.Packet]) -> None:
        """Muxes all but the latest packet, and the sound that belongs to them."""
        for packet in packets:
            packet.stream = self._stream
            if self._last_decoded is not None:  # where the time between frames changes, two segments may overlap
                packet.dts = max(packet.dts, self._last_decoded + 1)
            self._last_decoded = packet.dts
            if self._last_shown is None or packet.pts >= self._last_shown[0]:
                self._last_shown = (packet.pts, packet.duration or 0)
            self._delay = packet.pts - packet.dts if self._delay is None else self._delay
            previous, self._pending = self._pending, packet
            if previous is not None:
                self._mux_one(previous)

    def _mux_one(self, packet: av.Packet) -> None:
        time = packet.dts * packet.time_base
        self._output.mux(packet)
        if self._tracks is not None:
            self._tracks.advance(time, self._output.mux)

    def finish(self) -> None:
        """Encodes and muxes what remains, and closes the file."""
        self._mux(self._encoded(None))
        if self._pending is not None:
            if self._container in ("mp4", "mov") and self._last_shown[1] != self._pending.duration:
                # An MP4 ends with the packet that is decoded last, which may not be the one that is shown last.
                self._pending.duration = sum(self._last_shown) - self._pending.dts - self._delay
            self._mux_one(self._pending)
        if self._tracks is not None:
            self._tracks.advance(None, self._output.mux)
            self._tracks.close()
        self._output.close()
        if self._piped:
            sys.stdout.buffer.flush()

    def abort(self) -> None:
        """Closes the file without finishing it."""
        if self._tracks is not None:
            self._tracks.close()
        with contextlib.suppress(Exception):
            self._output.close()


def _tag(target: av.VideoFrame | av.VideoCodecContext, info: VideoInfo) -> None:
    target.color_range = info.tags.range
    target.colorspace = info.tags.matrix
    target.color_primaries = info.tags.primaries
    target.color_trc = info.tags.transfer


def _holds_rotation(container: str) -> bool:
    return container in TRACK_CONTAINERS and hasattr(av.VideoStream, "set_display_matrix")
