"""Sound, subtitles, attachments, chapters and metadata: copied beside the video, as it is written."""

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
# What players of these containers play; everything else is transcoded. None: the container takes all.
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
# The attachment of a compressed file: true of its own picture alone.
ATTACHMENT_NAME = "vdiff"
# Packets this far behind the end of the part that is kept, in seconds, end the reading.
STOP_MARGIN = 5

Mux = Callable[[av.Packet], None]


class Tracks:
    """The other streams of `path`, going into `output` as far as the video has come; one packet waits here."""

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
        self._chapters()
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
            return self._drop(stream, "this FFmpeg doesn't know it")
        takes = AUDIO_IN[self._container]
        if takes is None or stream.codec_context.codec.canonical_name in takes:
            try:
                return Copy(self._output, stream)
            except (ValueError, av.FFmpegError):
                pass
        codec = AUDIO_ENCODER[self._container]
        logger.info("the sound (%s) is encoded anew as %s", stream.codec_context.codec.canonical_name, codec)
        return Transcode(self._output, stream, codec)

    def _add_subtitle(self, stream: SubtitleStream) -> Copy | None:
        if stream.codec_context is None:
            return self._drop(stream, "this FFmpeg doesn't know it")
        codec = stream.codec_context.codec
        if codec.canonical_name in SUBTITLES_IN[self._container]:
            try:
                return Copy(self._output, stream)
            except (ValueError, av.FFmpegError):
                pass
        if not codec.text_sub:
            return self._drop(stream, f"{self._container} holds no subtitles that are pictures")
        try:
            return SubtitleCopy(self._output, stream, TEXT_SUBTITLES[self._container])
        except (ValueError, av.FFmpegError):
            return self._drop(stream, f"it can't be turned into {TEXT_SUBTITLES[self._container]}")

    def _drop(self, stream: av.stream.Stream, reason: str) -> None:
        logger.warning("the %s track %d is left out: %s", stream.type, stream.index, reason)

    def _chapters(self) -> None:
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
        """As close before the start as the container lets one get; what comes earlier is passed over."""
        try:
            self._source.seek(max(0, round((self._start - 1) * av.time_base)))
        except av.FFmpegError:
            logger.debug("the sound's file can't be sought in: reading from its start")

    def advance(self, until: Fraction | None, mux: Mux) -> None:
        """Muxes what starts before `until` seconds of the output; None: all that is left."""
        while True:
            packet = self._waiting or self._next()
            self._waiting = None
            if packet is None:
                break
            time = (packet.pts if packet.pts is not None else packet.dts) * packet.time_base
            if self._stop is not None and time >= self._stop + STOP_MARGIN:
                break
            if self._unwanted(packet, time):
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

    def _unwanted(self, packet: av.Packet, time: Fraction) -> bool:
        """Outside the part that is kept; or, where times can't be negative, an encoder's run-in before the start."""
        if self._stop is not None and time >= self._stop:
            return True
        return time < self._start and (self._cut or self._container in ("matroska", "webm"))

    def _next(self) -> av.Packet | None:
        """The next packet with a time and within the part that is kept."""
        while True:
            try:
                packet = next(self._packets, None)
            except av.FFmpegError:
                return None
            if packet is None or (packet.size and (packet.pts is not None or packet.dts is not None)):
                return packet

    def close(self) -> None:
        self._source.close()
