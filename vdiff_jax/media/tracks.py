"""Copies sound, subtitles, attachments, chapters and metadata while the video is written."""

import logging
from collections.abc import Callable
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.subtitles.stream import SubtitleStream

from vdiff_jax.errors import OptionError, OutputError
from vdiff_jax.media.clock import clock_of
from vdiff_jax.media.codec_delay import declared_delay, first_sound_times
from vdiff_jax.media.copies import ROUNDED_TIME, Copy, PictureCopy, SubtitleCopy, Transcode, fresh_metadata, layout_loss
from vdiff_jax.media.covers import Covers, main_video
from vdiff_jax.media.labels import Labels, lost_labels, track_tags
from vdiff_jax.media.part import packet_time, packets_of_part
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
COPY, NONE = "copy", "none"
AUDIO_ENCODERS = {"aac": "aac", "opus": "libopus", "flac": "flac"}
"""The encoders of the codecs that sound can be encoded in on request."""
TEXT_SUBTITLES = {"mp4": "mov_text", "mov": "mov_text", "webm": "webvtt", "matroska": "ass"}
SUBTITLES_IN = {
    "mp4": {"mov_text"},
    "mov": {"mov_text"},
    "webm": {"webvtt"},
    "matroska": {"subrip", "ass", "ssa", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"},
}
# The file name of a compressed file's attachment. It belongs to that file's picture, so it is never copied.
ATTACHMENT_NAME = "vdiff"
Mux = Callable[[av.Packet], None]


def check_audio_codec(container: str, codec: str) -> None:
    """Checks that a codec for sound is known, and that the container holds it.

    Raises:
        OptionError: it is unknown.
        OutputError: the container does not hold it.
    """
    if codec not in (COPY, NONE, *AUDIO_ENCODERS):
        raise OptionError(f"unknown audio codec {codec}: pass one of {', '.join((COPY, NONE, *AUDIO_ENCODERS))}")
    takes = AUDIO_IN.get(container)
    if codec in AUDIO_ENCODERS and takes is not None and codec not in takes:
        held = ", ".join(name for name in AUDIO_ENCODERS if name in takes)
        raise OutputError(f"{container} can't hold {codec} sound: pass {held}, or write .mkv")


class Tracks:
    """Copies the streams of `path` beside the video into `output`, as far in time as the video is written.

    Args:
        path: the file.
        output: the file that is written.
        container: FFmpeg's name of its muxer.
        info: properties of the video that is written.
        audio_codec: "copy", "none" to leave the sound out, or a key of `AUDIO_ENCODERS` to encode it again.

    Attributes:
        video_metadata: metadata of the source's video stream that still holds for a copy.
        lost: what is not copied, each with the output that would keep it.
    """

    def __init__(
        self,
        path: str,
        output: av.container.OutputContainer,
        container: str,
        info: VideoInfo,
        *,
        audio_codec: str = COPY,
    ):
        self._source = open_container(path, path)
        self._output = output
        self._container = container
        self._audio_codec = audio_codec
        self._start = info.start
        self._stop = info.stop
        clock = clock_of(path)
        self._cut = self._start - info.audio_lead > clock.start(self._source)
        self._sound_times = {} if self._cut else first_sound_times(path)
        self._covers = Covers(path, output, container)
        self._main = main_video(self._source)
        self._copies: dict[int, Copy] = {}
        self.lost: list[str] = []
        for stream in self._source.streams:
            copy = self._add(stream)
            if copy is None:
                stream.discard = av.stream.Discard.all
            else:
                self._copies[stream.index] = copy
        videos = [stream for stream in self._source.streams.video if stream.index == self._main]
        self.video_metadata = track_tags(fresh_metadata(videos[0].metadata), container) if videos else {}
        self._copy_chapters()
        output.metadata.update(fresh_metadata(self._source.metadata))
        self._drop_timecode()
        self.lost += self._lost_labels()
        self._packets = (
            clock.packets(self._source, [self._source.streams[i] for i in self._copies]) if self._copies else iter(())
        )
        self._part = packets_of_part(self._packets, self._start, self._stop, cut=self._cut)
        self._waiting: av.Packet | None = None
        # A subtitle that is on the screen at the start may have begun long before.
        subtitled = any(self._source.streams[i].type == "subtitle" for i in self._copies)
        if self._cut and self._copies and not subtitled and not clock.jumps:
            self._seek()

    def _add(self, stream: av.stream.Stream) -> Copy | None:
        if stream.type == "audio":
            return self._add_audio(stream)
        if stream.type == "subtitle":
            return self._add_subtitle(stream)
        if stream.type == "video":
            return self._add_video(stream)
        if stream.type == "data" and (self._is_chapter_text(stream) or self._is_timecode(stream)):
            return None
        if stream.type != "attachment":
            return self._drop(stream, "no output holds it: extract it from the input into a file of its own")
        if stream.metadata.get("filename") == ATTACHMENT_NAME:
            return None
        if self._container != "matroska":
            return self._drop(stream, f"{self._container} can't hold it; .mkv keeps it")
        self._output.add_stream_from_template(stream)
        return None

    def _is_chapter_text(self, stream: av.stream.Stream) -> bool:
        """Whether a QuickTime track holds the titles of the chapters, which are copied as chapters."""
        titled = stream.metadata.get("handler_name") == "SubtitleHandler" and self._source.chapters()
        return bool(titled) and "mp4" in self._source.format.name

    def _is_timecode(self, stream: av.stream.Stream) -> bool:
        """Whether a QuickTime track holds the timecode of the first frame, which is copied as a tag or track."""
        return "timecode" in stream.metadata and self._container != "webm"

    def _add_video(self, stream: av.VideoStream) -> Copy | None:
        """Copies a cover picture, or the packets of a further video track."""
        if stream.index == self._main:
            return None
        if stream.disposition & av.stream.Disposition.attached_pic:
            reason = self._covers.add(stream)
            if reason is not None:
                self._drop(stream, reason)
            return None
        if self._container == "webm" or stream.codec_context is None:
            return self._drop(stream, f"{self._container} can't hold it; .mkv keeps it")
        try:
            return PictureCopy(self._output, stream)
        except (ValueError, av.FFmpegError):
            return self._drop(stream, f"{self._container} can't hold its codec; .mkv keeps it")

    def _add_audio(self, stream: AudioStream) -> Copy | None:
        if self._audio_codec == NONE:
            return None
        if stream.codec_context is None:
            return self._drop(stream, "this FFmpeg does not know its codec")
        if not stream.codec_context.sample_rate:
            return self._drop(stream, "its format can't be found")
        if self._audio_codec != COPY:
            return Transcode(self._output, stream, AUDIO_ENCODERS[self._audio_codec])
        takes = AUDIO_IN[self._container]
        holds = takes is None or stream.codec_context.codec.canonical_name in takes
        if holds and (copy := self._copy(stream, self._priming(stream))) is not None:
            self._note(stream, layout_loss(stream.codec_context, None, self._container))
            return copy
        codec = AUDIO_ENCODER[self._container]
        self._note(
            stream,
            f"{stream.codec_context.codec.canonical_name} sound is encoded again as {codec}, because "
            f"{self._container} can't hold it" + ("" if self._container == "matroska" else "; .mkv keeps it"),
        )
        self._note(stream, layout_loss(stream.codec_context, codec, self._container))
        return Transcode(self._output, stream, codec)

    def _add_subtitle(self, stream: SubtitleStream) -> Copy | None:
        if stream.codec_context is None:
            return self._drop(stream, "this FFmpeg does not know its codec")
        codec = stream.codec_context.codec
        holds = codec.canonical_name in SUBTITLES_IN[self._container]
        if holds and (copy := self._copy(stream)) is not None:
            return copy
        if not codec.text_sub:
            return self._drop(stream, f"{self._container} can't hold picture subtitles; .mkv keeps them")
        try:
            return SubtitleCopy(self._output, stream, TEXT_SUBTITLES[self._container])
        except (ValueError, av.FFmpegError):
            return self._drop(stream, f"it can't be converted to {TEXT_SUBTITLES[self._container]}")

    def _priming(self, stream: AudioStream) -> Fraction:
        """Seconds of encoder priming that Matroska's header must declare, because the source's header does not.

        Matroska holds no other time stamps before 0; MP4 holds them in an edit list.
        """
        first = self._sound_times.get(stream.index, self._start)
        needed = self._start - first
        holds = self._container in ("mp4", "mov") or needed - declared_delay(stream) < ROUNDED_TIME
        return Fraction(0) if holds else needed

    def _copy(self, stream: av.stream.Stream, priming: Fraction = Fraction(0)) -> Copy | None:
        """A copy of the track; None if the muxer rejects it."""
        try:
            return Copy.delayed(self._output, stream, priming) if priming else Copy(self._output, stream)
        except (ValueError, av.FFmpegError):
            return None

    def _drop(self, stream: av.stream.Stream, reason: str) -> None:
        """Notes that a track is not copied."""
        self._note(stream, reason)

    def _note(self, stream: av.stream.Stream, loss: str | None) -> None:
        """Notes what is lost of a track, if anything."""
        if loss is not None:
            self.lost.append(f"the {stream.type} track {stream.index}: {loss}")

    def _drop_timecode(self) -> None:
        """Drops the timecode of the file's first frame where the part begins with another one."""
        dropped = [tags.pop("timecode", None) for tags in (self.video_metadata, self._output.metadata) if self._cut]
        if any(dropped):
            self.lost.append("the timecode, because the part begins later than the video; no output keeps it")

    def _lost_labels(self) -> list[str]:
        """What the container does not hold of the copied tracks' titles, languages, dispositions and tags."""
        labels = [Labels("video", "video track", self.video_metadata)]
        for index, copy in self._copies.items():
            stream = copy.stream
            name = f"{stream.type} track {index}"
            labels.append(Labels(stream.type, name, stream.metadata, av.stream.Disposition(stream.disposition)))
        options = self._output.container_options
        return lost_labels(self._container, labels, self._output.metadata, options)

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
        for cover in self._covers.packets():
            mux(cover)
        while (packet := self._waiting or next(self._part, None)) is not None:
            self._waiting = None
            if until is not None and packet_time(packet) - self._start > until:
                self._waiting = packet
                return
            for ready in self._copies[packet.stream.index].packets(packet, self._start):
                mux(ready)
        if until is None:
            for copy in self._copies.values():
                for ready in copy.flush():
                    mux(ready)

    def close(self) -> None:
        """Closes the source."""
        self._source.close()
