"""Encoder priming: the sound before time 0 that an encoder adds, and its length in Matroska (CodecDelay)."""

import contextlib
import io
from collections.abc import Iterator
from fractions import Fraction

import av
from av.audio.stream import AudioStream

from vdiff_jax.media.matroska_header import SEGMENT, TRACK_ENTRY, TRACKS, element, header_of, sized
from vdiff_jax.media.probe import open_container

_CODEC_DELAY = b"\x56\xaa"  # the number of Matroska's element
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
    data = header_of(stream)
    first, end = element(data, SEGMENT, TRACKS, TRACK_ENTRY)
    track = data[first:end] + _CODEC_DELAY + sized(round(delay * 10**9).to_bytes(8, "big"))
    tracks = TRACKS + sized(TRACK_ENTRY + sized(track))
    delayed = data[: data.index(SEGMENT)] + SEGMENT + _UNKNOWN_SIZE + tracks + _CLUSTER_AT_0
    with av.open(io.BytesIO(delayed), format="matroska") as container:
        yield container.streams.audio[0]
