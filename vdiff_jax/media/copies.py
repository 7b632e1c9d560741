"""Copying one sound or subtitle track into an output: packet by packet, or encoded again."""

import logging
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.format import Flags
from av.subtitles.stream import SubtitleStream

from vdiff_jax.media.attachment_text import without_attachment
from vdiff_jax.media.codec_delay import delayed_template
from vdiff_jax.media.labels import track_tags
from vdiff_jax.media.uniform_sound import UniformSound

logger = logging.getLogger(__name__)
# Keys that the muxer writes itself, or that hold only for the source's encoding.
OUTDATED_KEYS = (
    "encoder",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "duration",
    "bps",
    "number_of_",
    "_statistics",
    "rotate",
    "alpha_mode",
    # what an MXF says of its own file
    *("operational_pattern_ul", "uid", "generation_uid", "company_name", "product_", "toolkit_version"),
    *("material_package_", "file_package_", "modification_date", "application_platform"),
)
ROUNDED_TIME = Fraction(1, 500)
"""Seconds by which time stamps in whole milliseconds may be off."""
MUXER = "Lavf"
"""How FFmpeg's name of itself begins."""
AUDIO_BITS_PER_CHANNEL = 96_000
LAYOUTS_OF = {
    "aac": {"mono", "stereo", "2.1", "3.0", "3.0(back)", "4.0", "quad", "5.0", "5.1", "7.1"},
    "libopus": {"mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1"},
    "flac": {"mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1"},
}
"""Layouts that are read back as they were encoded, by encoder."""
DEFAULT_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""The layout that players assume for a number of channels where a file names none, as it is for PCM in Matroska."""
FLAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0(side)", 6: "5.1(side)", 7: "6.1", 8: "7.1"}
"""The layout that FLAC has for a number of channels where its comments name none, as it is in MP4."""


def fresh_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """The metadata that still holds for a copy."""
    fresh = {key: value for key, value in metadata.items() if not key.lower().startswith(OUTDATED_KEYS)}
    own = {key: without_attachment(value) for key, value in fresh.items() if not value.startswith(MUXER)}
    return {key: value for key, value in own.items() if value or not fresh[key]}


class Copy:
    """A track whose packets are copied; only their times change."""

    _last: int | None = None  # the latest packet's pts
    _written: int | None = None  # its dts in the output's unit of time
    _setup: tuple[int, int] | None = None  # rate and channels of AAC
    _changed = False

    def __init__(self, output: av.container.OutputContainer, source: av.stream.Stream):
        self.stream = output.add_stream_from_template(source)
        self._label(source)

    @classmethod
    def delayed(cls, output: av.container.OutputContainer, source: AudioStream, delay: Fraction) -> "Copy":
        """A copy in Matroska whose header says that the first `delay` seconds are the encoder's priming."""
        with delayed_template(source, delay) as template:
            copy = cls(output, template)
        copy._label(source)
        return copy

    def _label(self, source: av.stream.Stream) -> None:
        container = self.stream.container.format.name
        self.stream.metadata.update(track_tags(fresh_metadata(source.metadata), container))
        self.stream.disposition = source.disposition

    def packets(self, packet: av.Packet, start: Fraction) -> Iterator[av.Packet]:
        """The packets to mux for one packet of the source; `start`, in seconds, becomes time 0."""
        shift = round(start / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = packet.pts if packet.dts is None else packet.dts - shift
        packet.stream = self.stream
        if not packet.duration and self._last is not None and packet.stream.type == "audio":
            packet.duration = max(packet.pts - self._last, 0)  # MP4 drops a last packet that lasts no time
        self._last = packet.pts
        if packet.stream.type == "audio":
            self._let_rise(packet)
            self._warn_if_other(bytes(packet)[:4], packet.pts * packet.time_base)
        yield packet

    def _warn_if_other(self, head: bytes, time: Fraction) -> None:
        """Warns once where AAC changes its rate or channels, which containers store for the whole track."""
        if self.stream.codec_context.name != "aac" or head[:1] != b"\xff":
            return
        setup = (head[2] & ~2, head[3] & 0xC0)  # of the ADTS header
        if self._setup is not None and setup != self._setup and not self._changed:
            self._changed = True
            logger.warning(
                "the sound changes its rate or its channels at %.1f s, and players may not play it from there: "
                "pass --audio-codec to encode it again",
                time,
            )
        self._setup = self._setup or setup

    def _let_rise(self, packet: av.Packet) -> None:
        """Moves a packet behind the one before, as muxers require, where two recordings overlap by a few packets."""
        unit = (self.stream.time_base or packet.time_base) / packet.time_base
        written, container = round(packet.dts / unit), self.stream.container
        least = 0 if self._written is None else self._written + (not container.format.flags & Flags.ts_nonstrict.value)
        if self._written is not None and written < least:
            written = least
            packet.dts = math.ceil(written * unit)
            packet.pts = max(packet.pts, packet.dts)
        self._written = written

    def flush(self) -> Iterator[av.Packet]:
        """The packets that remain after the last packet of the source."""
        return iter(())


class Transcode(Copy):
    """A sound track that is decoded and encoded in a codec that the container holds."""

    def __init__(self, output: av.container.OutputContainer, source: AudioStream, codec: str):
        rates = av.Codec(codec, "w").audio_rates
        rate = source.codec_context.sample_rate
        self.stream = output.add_stream(codec, rate=rate if not rates or rate in rates else 48000)
        given, encoder = source.codec_context.layout, self.stream.codec_context
        encoder.layout = _layout(codec, given.name, given.nb_channels)
        encoder.bit_rate = AUDIO_BITS_PER_CHANNEL * encoder.layout.nb_channels
        self._label(source)
        self._end: int | None = None  # in samples, of the sound decoded so far
        self._uniform = UniformSound()

    def packets(self, packet: av.Packet, start: Fraction) -> Iterator[av.Packet]:
        """The packets that decoding and encoding a packet of the source gives; `start` becomes time 0."""
        try:
            decoded = packet.decode()
        except av.FFmpegError:
            logger.debug("a damaged sound packet is skipped")
            return
        yield from self.encoded(decoded, start)

    def encoded(self, frames: Iterable[av.AudioFrame], start: Fraction) -> Iterator[av.Packet]:
        """The packets that encoding decoded sound gives; `start` becomes time 0."""
        for each in frames:
            for frame in self._uniform(each):
                self._stamp(frame, start)
                yield from self.stream.encode(frame)

    def _stamp(self, frame: av.AudioFrame, start: Fraction) -> None:
        """Counts a frame's time in samples. It follows the frame before unless there is a gap between them."""
        rate = frame.sample_rate
        begin = self._end or 0  # what a decoder returns at the end may have no time
        if frame.pts is not None:
            time = round((frame.pts * frame.time_base - start) * rate)
            begin = time if self._end is None or time - self._end > ROUNDED_TIME * rate else self._end
        frame.pts, frame.time_base = begin, Fraction(1, rate)
        self._end = begin + frame.samples

    def flush(self) -> Iterator[av.Packet]:
        """The packets that remain in the encoder."""
        yield from self.stream.encode(None)


class PictureCopy(Copy):
    """A further video track. It begins with its first key frame."""

    def __init__(self, output: av.container.OutputContainer, source: av.VideoStream):
        self.stream = output.add_stream_from_template(source, opaque=True)  # there may be no encoder of its codec
        self._label(source)
        # Players show the video whose track is the default one.
        self.stream.disposition = source.disposition & ~av.stream.Disposition.default
        self._step = 1 / (source.average_rate or 25)
        self._waiting: list[av.Packet] = []  # Matroska's first packets have no decoding time
        self._begun = False

    def packets(self, packet: av.Packet, start: Fraction) -> Iterator[av.Packet]:
        """The packets to mux, once their decoding times are known; `start`, in seconds, becomes time 0."""
        if packet.pts is None or not (self._begun or packet.is_keyframe):
            return
        shift, self._begun = round(start / packet.time_base), True
        packet.pts -= shift
        packet.stream = self.stream
        self._waiting.append(packet)
        if packet.dts is not None:
            packet.dts -= shift
            yield from self._timed(packet.dts)

    def flush(self) -> Iterator[av.Packet]:
        """The packets whose decoding times stayed unknown: they are decoded in the order of display."""
        if self._waiting:
            yield from self._timed(self._waiting[-1].pts)

    def _timed(self, latest: int) -> Iterator[av.Packet]:
        """The waiting packets, decoded at even distances, the last one at `latest`."""
        step = max(1, round(self._step / self._waiting[0].time_base))
        for number, packet in enumerate(reversed(self._waiting)):
            packet.dts = latest - number * step
        ready, self._waiting = self._waiting, []
        yield from ready


def layout_loss(context: av.AudioCodecContext, encoder: str | None, container: str) -> str | None:
    """How an output changes the layout of a track, with the output that keeps it; None if it keeps it.

    Args:
        context: the track's decoder.
        encoder: the encoder's name; None for a track that is copied.
        container: FFmpeg's name of the muxer.
    """
    layout, channels = context.layout.name, context.layout.nb_channels
    if encoder is not None:
        name = _layout(encoder, layout, channels)
        changed = name != _assumed(layout, channels)
        return f"its channels change from {layout} to {name} in {encoder}; .mkv keeps them" if changed else None
    form, plain = None, layout
    if container == "matroska" and context.name.startswith("pcm_"):
        form, plain, keeps = "PCM in Matroska", DEFAULT_LAYOUTS.get(channels, layout), ".mov"
    elif container in ("mp4", "mov") and context.name == "flac":
        form, plain, keeps = "FLAC in MP4", FLAC_LAYOUTS.get(channels, layout), ".mkv"
    if form is not None and layout not in (plain, f"{channels} channels"):
        return f"players take its channels, {layout}, for {plain}, because {form} stores none; {keeps} keeps them"
    return None


def _layout(codec: str, layout: str, channels: int) -> str:
    """The layout to encode: the source's, or the nearest that players read back unchanged."""
    held = LAYOUTS_OF[codec]
    plain = "quad" if channels == 4 else DEFAULT_LAYOUTS.get(channels, "7.1")
    nearest = (_assumed(layout, channels), layout.removesuffix("(side)"), plain, "7.1" if channels > 6 else "5.1")
    return next(name for name in nearest if name in held)


def _assumed(layout: str, channels: int) -> str:
    """The layout, or the one that players assume if it is unknown."""
    return DEFAULT_LAYOUTS.get(channels, layout) if layout == f"{channels} channels" else layout


class SubtitleCopy(Copy):
    """A text subtitle track that is converted to the container's own codec."""

    def __init__(self, output: av.container.OutputContainer, source: SubtitleStream, codec: str):
        source.codec_context.open(strict=False)
        self.stream = output.add_stream(codec)
        self.stream.codec_context.subtitle_header = source.codec_context.subtitle_header
        self._label(source)

    def packets(self, packet: av.Packet, start: Fraction) -> Iterator[av.Packet]:
        """The converted subtitle of a packet of the source, if it holds one; `start` becomes time 0."""
        try:
            subtitle = packet.stream.codec_context.decode2(packet)
        except av.FFmpegError:
            logger.debug("a damaged subtitle is skipped")
            return
        if subtitle is None:
            return
        encoded = self.stream.codec_context.encode_subtitle(subtitle)
        encoded.time_base = packet.time_base
        encoded.pts = encoded.dts = packet.pts - round(start / packet.time_base)
        encoded.duration = packet.duration
        encoded.stream = self.stream
        yield encoded
