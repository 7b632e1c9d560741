"""Copies sound, subtitles, attachments, chapters and metadata while the video is written."""

import logging
from collections.abc import Callable
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.subtitles.stream import SubtitleStream

from vdiff_jax.media.copies import Copy, SubtitleCopy, Transcode, fresh_metadata
from vdiff_jax.media.probe import open_container
from vdiff_jax.media.video import VideoInfo

logger = logging.getLogger(__name__)
# Audio codecs that players support in each container; others are transcoded. None: any codec is copied.
AUDIO_IN = {
    "mp4": {"aac", "mp3", "ac3", "eac3", "alac", "flac", "opus", "dts"},
    "mov": {"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_f32le"},
    "webm": {"opus", "vorbis"},
    "matroska": None,
}
AUDIO_ENCODER = {"webm": "libopus", "mp4": "aac", "mov": "aac", "matroska": "flac"}
TEXT_SUBTITLES = {"mp4": "mov_text", "mov": "mov_text", "webm": "webvtt", "matroska": "ass"}
SUBTITLES_IN = {
    "mp4": {"mov_text"},
    "mov": {"mov_text"},
    "webm": {"webvtt"},
    "matroska": {"subrip", "ass", "ssa", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"},
}
# The file name of a compressed file's attachment. It belongs to that file's picture, so it is never copied.
ATTACHMENT_NAME = "vdiff"
# Seconds after the end of the wanted part at which reading stops.
STOP_MARGIN = 5

Mux = Callable[[av.Packet], None]


class Tracks:
    """Copies the streams of `path` beside the video into `output`, as far in time as the video is written.

    Attributes:
        video_metadata: metadata of the source's video stream that still holds for a copy.
    """

    def __init__(self, path: str, output: av.container.OutputContainer, container: str, info: VideoInfo):
        self._source = open_container(path, path)
        self._output = output
        self._container = container
        self._start = info.start
        self._stop = info.stop
        self._copies: dict[int, Copy] = {}
        for stream in self._source.streams:
            copy = self._add(stream)
            if copy is None:
                stream.discard = av.stream.Discard.all
            else:
                self._copies[stream.index] = copy
        self.video_metadata = next((fresh_metadata(stream.metadata) for stream in self._source.streams.video), {})
        self._copy_chapters()
        output.metadata.update(fresh_metadata(self._source.metadata))
        self._packets = (
            self._source.demux([self._source.streams[i] for i in self._copies]) if self._copies else iter(())
        )
        self._waiting: av.Packet | None = None
        self._cut = self._start - info.audio_lead > Fraction(self._source.start_time or 0, av.time_base)
        if self._cut and self._copies:
            self._seek()

    def _add(self, stream: av.stream.Stream) -> Copy | None:
        if stream.type == "audio":
            return self._add_audio(stream)
        if stream.type == "subtitle":
            return self._add_subtitle(stream)
        attached = stream.type == "attachment" and stream.metadata.get("filename") != ATTACHMENT_NAME
        if attached and self._container == "matroska":
            self._output.add_stream_from_template(stream)
        return None

    def _add_audio(self, stream: AudioStream) -> Copy | None:
        if stream.codec_context is None:
            return self._drop(stream, "this FFmpeg does not know its codec")
        takes = AUDIO_IN[self._container]
        holds = takes is None or stream.codec_context.codec.canonical_name in takes
        if holds and (copy := self._copy(stream)) is not None:
            return copy
        codec = AUDIO_ENCODER[self._container]
        logger.info("the sound (%s) is encoded again as %s", stream.codec_context.codec.canonical_name, codec)
        return Transcode(self._output, stream, codec)

    def _add_subtitle(self, stream: SubtitleStream) -> Copy | None:
        if stream.codec_context is None:
            return self._drop(stream, "this FFmpeg does not know its codec")
        codec = stream.codec_context.codec
        holds = codec.canonical_name in SUBTITLES_IN[self._container]
        if holds and (copy := self._copy(stream)) is not None:
            return copy
        if not codec.text_sub:
            return self._drop(stream, f"{self._container} can't hold picture subtitles")
        try:
            return SubtitleCopy(self._output, stream, TEXT_SUBTITLES[self._container])
        except (ValueError, av.FFmpegError):
            return self._drop(stream, f"it can't be converted to {TEXT_SUBTITLES[self._container]}")

    def _copy(self, stream: av.stream.Stream) -> Copy | None:
        """A copy of the track; None if the muxer rejects it."""
        try:
            return Copy(self._output, stream)
        except (ValueError, av.FFmpegError):
            return None

    def _drop(self, stream: av.stream.Stream, reason: str) -> None:
        """Warns of a track that is not copied."""
        logger.warning("the %s track %d is not copied: %s", stream.type, stream.index, reason)

    def _copy_chapters(self) -> None:
        """Copies the chapters within the wanted part, with their times moved to its start."""
        chapters = []
        for chapter in self._source.chapters():
            base = chapter["time_base"]
            shift = round(self._start / base)
            stop = chapter["end"] if self._stop is None else min(chapter["end"], round(self._stop / base))
            start = max(chapter["start"] - shift, 0)
            if stop - shift > start:
                chapters.append({**chapter, "start": start, "end": stop - shift})
        self._output.set_chapters(chapters)

    def _seek(self) -> None:
        """Seeks to a second before the start; packets before the start are skipped later."""
        try:
            self._source.seek(max(0, round((self._start - 1) * av.time_base)))
        except av.FFmpegError:
            logger.debug("the file with the sound does not support seeking: reading from its start")

    def advance(self, until: Fraction | None, mux: Mux) -> None:
        """Muxes the packets that start before `until` seconds of the output; None muxes all that remain."""
        while True:
            packet = self._waiting or self._next()
            self._waiting = None
            if packet is None:
                break
            time = (packet.pts if packet.pts is not None else packet.dts) * packet.time_base
            if self._stop is not None and time >= self._stop + STOP_MARGIN:
                break
            if self._outside(packet, time):
                continue
            if until is not None and time - self._start > until:
                self._waiting = packet
                return
            for ready in self._copies[packet.stream.index].packets(packet, self._start):
                mux(ready)
        if until is None:
            for copy in self._copies.values():
                for ready in copy.flush():
                    mux(ready)

    def _outside(self, packet: av.Packet, time: Fraction) -> bool:
        """Whether a packet lies outside the wanted part, or is encoder priming that needs a negative time stamp."""
        if self._stop is not None and time >= self._stop:
            return True
        return time < self._start and (self._cut or self._container in ("matroska", "webm"))

    def _next(self) -> av.Packet | None:
        """The next packet that has content and a time; None at the end or at damage."""
        while True:
            try:
                packet = next(self._packets, None)
            except av.FFmpegError:
                return None
            if packet is None or (packet.size and (packet.pts is not None or packet.dts is not None)):
                return packet

    def close(self) -> None:
        """Closes the source."""
        self._source.close()
