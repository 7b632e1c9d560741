"""Encoding frames and muxing them with the other tracks into one file."""

import contextlib
import dataclasses
import logging
import sys
from fractions import Fraction

import av

from vdiff_jax.errors import OutputError
from vdiff_jax.media.colour import convert
from vdiff_jax.media.encoders import choose_encoding, keep_scheduling_priority
from vdiff_jax.media.palette import indexed
from vdiff_jax.media.pictures import picture_of
from vdiff_jax.media.planes import frame_of
from vdiff_jax.media.tracks import Tracks
from vdiff_jax.media.video import VideoInfo, turn
from vdiff_jax.pixels import Frame

logger = logging.getLogger(__name__)
# Where a track of an MP4 starts is told in units of movie_timescale; the usual 1 ms would shift sound and picture.
ISO_OPTIONS = {"movflags": "+faststart", "movie_timescale": "240000"}
MUXER_OPTIONS = {"mp4": ISO_OPTIONS, "mov": ISO_OPTIONS, "yuv4mpegpipe": {"strict": "-1"}}
HOLDS_TRACKS = frozenset({"mp4", "mov", "matroska", "webm"})
# PyAV can't tell Matroska the shape of pixels, and these codecs don't say it where all players look.
SHAPELESS = frozenset({"libvpx-vp9", "libvpx", "libsvtav1", "ffv1"})


class FileSink:
    """A file, or stdout where `path` is None. The header is written on opening, so that refusals come early."""

    def __init__(
        self,
        path: str | None,
        container: str,
        info: VideoInfo,
        *,
        codec: str | None,
        options: dict[str, str] | None,
        copy_from: str | None,
    ):
        self._source = info
        self._turned = info.display_matrix is not None and not _holds_rotation(container)
        self._encoding = choose_encoding(container, _turned(info) if self._turned else info, codec, options)
        self._container = container
        self._tracks: Tracks | None = None
        self._count, self._uneven = 0, False
        self._first: Fraction | None = None
        self._last: int | None = None
        self._held: av.Packet | None = None
        self._delay: int | None = None
        self._shown: tuple[int, int] | None = None  # pts and duration of the packet shown last
        self._piped = path is None
        file = sys.stdout.buffer if path is None else f"file:{path}"
        self._output = av.open(file, "w", format=container, container_options=MUXER_OPTIONS.get(container, {}))
        try:
            self._stream = self._add_stream()
            if copy_from is not None and container in HOLDS_TRACKS:
                self._tracks = Tracks(copy_from, self._output, container, info)
                self._stream.metadata.update(self._tracks.video_metadata)
            self._output.start_encoding()
        except BaseException:
            self.abort()
            raise

    def _add_stream(self) -> av.VideoStream:
        encoding, info = self._encoding, self._encoding.info
        try:
            rate = info.rate.limit_denominator(1_000_000)
            stream = self._output.add_stream(encoding.codec, rate=rate, options=encoding.options)
        except ValueError as error:
            raise OutputError(f"{self._container} holds no {encoding.codec} video: .mkv holds any") from error
        context = stream.codec_context
        context.width, context.height = info.width, info.height
        context.pix_fmt = "pal8" if self._container == "gif" else encoding.pack or encoding.pixels.name
        context.time_base = stream.time_base = info.time_base
        context.thread_count = 0
        context.flags |= av.codec.context.Flags.frame_duration
        if info.sample_aspect:
            context.sample_aspect_ratio = info.sample_aspect
            if info.sample_aspect != 1 and encoding.codec in SHAPELESS and self._container in ("matroska", "webm"):
                logger.warning("players may show pixels square, not %s: .mp4 keeps their shape", info.sample_aspect)
        _tag(context, info)
        if encoding.codec == "libx265" and self._container in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # the one that QuickTime plays
        try:
            with keep_scheduling_priority():
                context.open()
        except (av.FFmpegError, ValueError) as error:
            raise self._refusal() from error
        if info.display_matrix is not None:
            stream.set_display_matrix(info.display_matrix)
        return stream

    def _refusal(self) -> OutputError:
        encoding = self._encoding
        options = " ".join(f"{key}={value}" for key, value in encoding.options.items())
        size = f"{encoding.info.width}x{encoding.info.height}"
        return OutputError(
            f"the encoder {encoding.codec} refuses {size} {encoding.pixels.name} with {options or 'its defaults'}"
        )

    def write(self, frame: Frame) -> None:
        encoding = self._encoding
        picture = self._indexed(frame) if self._container == "gif" else self._planar(frame)
        picture.pts, picture.duration = self._stamp(frame)
        picture.time_base = encoding.info.time_base
        _tag(picture, encoding.info)
        self._mux(self._stream.encode(picture))

    def _planar(self, frame: Frame) -> av.VideoFrame:
        encoding, planes = self._encoding, frame.planes
        if self._turned:
            planes = tuple(turn(plane, self._source.display_matrix) for plane in planes)
        pixels = dataclasses.replace(self._source.pixels, subsampling=_turned_subsampling(self._source, self._turned))
        picture = frame_of(convert(planes, pixels, encoding.pixels), encoding.pixels)
        return picture if encoding.pack is None else picture.reformat(format=encoding.pack)

    def _indexed(self, frame: Frame) -> av.VideoFrame:
        picture = picture_of(frame.planes, self._source.pixels, deep=False)
        return indexed(turn(picture, self._source.display_matrix))

    def _stamp(self, frame: Frame) -> tuple[int, int]:
        """Time and duration in the encoder's time base; YUV4MPEG2 has no time stamps, so its frames are counted."""
        ratio = self._source.time_base / self._encoding.info.time_base
        exact = frame.pts * ratio
        self._first = exact if self._first is None else self._first
        pts = round(exact)
        if self._container == "yuv4mpegpipe":
            pts = self._count
            if not self._uneven and abs(exact - self._first - self._count) > 1:
                self._uneven = True
                logger.warning("YUV4MPEG2 has no time stamps: these frames, unevenly spaced, are written as if even")
        pts = pts if self._last is None else max(pts, self._last + 1)
        self._count, self._last = self._count + 1, pts
        return pts, max(1, round(frame.duration * ratio)) if frame.duration else 0

    def _mux(self, packets: list[av.Packet]) -> None:
        """Muxes all but the latest packet, and what sounds beside them."""
        for packet in packets:
            if self._shown is None or packet.pts >= self._shown[0]:
                self._shown = (packet.pts, packet.duration or 0)
            self._delay = packet.pts - packet.dts if self._delay is None else self._delay
            held, self._held = self._held, packet
            if held is not None:
                self._mux_one(held)

    def _mux_one(self, packet: av.Packet) -> None:
        time = packet.dts * packet.time_base
        self._output.mux(packet)
        if self._tracks is not None:
            self._tracks.advance(time, self._output.mux)

    def finish(self) -> None:
        self._mux(self._stream.encode(None))
        if self._held is not None:
            if self._container in ("mp4", "mov") and self._shown[1] != self._held.duration:
                # An MP4 ends with the packet decoded last, which need not be the one shown last.
                self._held.duration = sum(self._shown) - self._held.dts - self._delay
            self._mux_one(self._held)
        if self._tracks is not None:
            self._tracks.advance(None, self._output.mux)
            self._tracks.close()
        self._output.close()
        if self._piped:
            sys.stdout.buffer.flush()

    def abort(self) -> None:
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
    return container in HOLDS_TRACKS and hasattr(av.VideoStream, "set_display_matrix")


def _turned_subsampling(info: VideoInfo, turned: bool) -> tuple[int, int]:
    x, y = info.pixels.subsampling
    return (y, x) if turned and info.rotation in (90, 270) else (x, y)


def _turned(info: VideoInfo) -> VideoInfo:
    """The video with its rotation applied."""
    width, height = info.displayed_size
    aspect = info.sample_aspect
    return dataclasses.replace(
        info,
        width=width,
        height=height,
        pixels=dataclasses.replace(info.pixels, subsampling=_turned_subsampling(info, True)),
        sample_aspect=1 / aspect if aspect and info.rotation in (90, 270) else aspect,
        rotation=0,
        display_matrix=None,
    )
