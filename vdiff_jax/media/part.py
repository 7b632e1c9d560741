"""The packets of a part of a file: sound from its start on, and subtitles that are on the screen during it."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction

import av

STOP_MARGIN = 5
"""Seconds after the end of the wanted part at which reading stops."""

UNKNOWN_DURATION = 4_294_967
"""Seconds that FFmpeg's encoders of picture subtitles give where they do not know the end."""


def packet_time(packet: av.Packet) -> Fraction:
    """Seconds, in the file's own time, at which a packet starts."""
    return (packet.pts if packet.pts is not None else packet.dts) * packet.time_base


def packets_of_part(
    packets: Iterator[av.Packet], start: Fraction, stop: Fraction | None, *, cut: bool
) -> Iterator[av.Packet]:
    """The packets of the wanted part, until its end, the file's end or damage. Subtitles are shortened to it.

    Args:
        packets: packets of sound, subtitles and further video in the file's order.
        start, stop: seconds, in the file's own time; None for the end of the file.
        cut: whether sound before `start` is left out. In a whole file it is the encoder's priming, which belongs to it.
    """
    shown: dict[int, av.Packet] = {}  # the latest subtitle of each stream that lasts until the next one
    for packet in _timed(packets):
        time, subtitle = packet_time(packet), packet.stream.type == "subtitle"
        if stop is not None and time >= stop:
            if time >= stop + STOP_MARGIN:
                break
            continue
        if time >= start:
            while shown:
                yield _shortened(shown.popitem()[1], start, stop)
        elif subtitle and _endless(packet):
            shown[packet.stream.index] = packet
            continue
        elif time + packet.duration * packet.time_base <= start if subtitle else cut:
            continue
        yield _shortened(packet, start, stop) if subtitle else packet
    for packet in shown.values():  # nothing follows them
        yield _shortened(packet, start, stop)


def _endless(subtitle: av.Packet) -> bool:
    """Whether a subtitle lasts until the next one: it has no duration, or FFmpeg's number for an unknown one."""
    return not subtitle.duration or subtitle.duration * subtitle.time_base >= UNKNOWN_DURATION


def _timed(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """The packets that have content and a time, until the end or damage."""
    with contextlib.suppress(av.FFmpegError):
        for packet in packets:
            if packet.size and (packet.pts is not None or packet.dts is not None):
                yield packet


def _shortened(subtitle: av.Packet, start: Fraction, stop: Fraction | None) -> av.Packet:
    """A subtitle with the time that it shares with the wanted part."""
    base, end = subtitle.time_base, packet_time(subtitle) + (subtitle.duration or 0) * subtitle.time_base
    end = end if stop is None else min(end, stop)
    subtitle.pts = subtitle.dts = max(round(start / base), round(packet_time(subtitle) / base))
    if subtitle.duration:
        subtitle.duration = max(1, round(end / base) - subtitle.pts)
    return subtitle
