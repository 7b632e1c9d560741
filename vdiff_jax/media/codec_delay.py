"""Encoder priming: the sound before time 0 that an encoder adds, and its length in Matroska (CodecDelay)."""

import contextlib
import io
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.stream import AudioStream

from vdiff_jax.media.probe import open_container

# Matroska's element numbers.
_SEGMENT = b"\x18\x53\x80\x67"
_TRACKS = b"\x16\x54\xae\x6b"
_TRACK_ENTRY = b"\xae"
_CODEC_DELAY = b"\x56\xaa"
_CLUSTER_AT_0 = b"\x1f\x43\xb6\x75\x83\xe7\x81\x00"  # FFmpeg reads no header without a cluster behind it
_UNKNOWN_SIZE = b"\x01" + 7 * b"\xff"


def first_sound_times(name: str) -> dict[int, Fraction]:
    """Seconds, in the file's own time, at which the first packet of each sound stream starts, by stream number."""
    times: dict[int, Fraction] = {}
    with open_container(name, name) as container:
        sounds = [stream for stream in container.streams.audio if stream.codec_context is not None]
        with contextlib.suppress(av.FFmpegError):
            for packet in container.demux(sounds) if sounds else ():
                if packet.pts is not None:
                    times.setdefault(packet.stream.index, packet.pts * packet.time_base)
                if len(times) == len(sounds) or packet.pts is None:
                    break
    return times


def declared_delay(stream: AudioStream) -> Fraction:
    """Seconds of encoder priming that the file's header declares. MP4's edit lists are not counted."""
    return Fraction(stream.codec_context.delay, stream.codec_context.sample_rate or 1)


@contextlib.contextmanager
def delayed_template(stream: AudioStream, delay: Fraction) -> Iterator[AudioStream]:
    """The same stream with `delay` seconds of encoder priming in its header, as a template for Matroska output.

    PyAV can't set a stream's priming, so the header of a Matroska file is written and read again.
    """
    header = io.BytesIO()
    with av.open(header, "w", format="matroska") as output:
        output.add_stream_from_template(stream)
        output.start_encoding()
    data = header.getvalue()
    segment = _child(data, _SEGMENT, (0, len(data)))
    first, end = _child(data, _TRACK_ENTRY, _child(data, _TRACKS, segment))
    track = data[first:end] + _CODEC_DELAY + _sized(round(delay * 10**9).to_bytes(8, "big"))
    tracks = _TRACKS + _sized(_TRACK_ENTRY + _sized(track))
    delayed = data[: data.index(_SEGMENT)] + _SEGMENT + _UNKNOWN_SIZE + tracks + _CLUSTER_AT_0
    with av.open(io.BytesIO(delayed), format="matroska") as container:
        yield container.streams.audio[0]


def _sized(payload: bytes) -> bytes:
    """A payload after its size, as Matroska writes it: 8 bytes, of which the first bit says their number."""
    return (1 << 56 | len(payload)).to_bytes(8, "big") + payload


def _child(data: bytes, wanted: bytes, span: tuple[int, int]) -> tuple[int, int]:
    """Where the payload of the first element with this number begins and ends, among the elements in a span."""
    at, end = span
    while at < end:
        first = at + 9 - data[at].bit_length()
        size_bytes = 9 - data[first].bit_length()
        body = first + size_bytes
        size = int.from_bytes(data[first:body], "big") & ((1 << 7 * size_bytes) - 1)
        stop = min(body + size, end)
        if data[at:first] == wanted:
            return body, stop
        at = stop
    raise ValueError(f"the Matroska header has no element {wanted.hex()}")
