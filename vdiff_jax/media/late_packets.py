"""Packets that FFmpeg returns too late, in a transport stream whose streams continue under other numbers.

FFmpeg returns the last packet of each number only at the end of the file, after all packets of the next number.
"""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av


@dataclass(frozen=True, kw_only=True)
class LatePacket:
    """A copy of a late packet.

    Attributes:
        place: how many packets of its stream come before it in the file.
        data: its bytes.
        pts, dts, duration, time_base: its times.
        is_keyframe: whether it can be decoded alone.
    """

    place: int
    data: bytes
    pts: int | None
    dts: int | None
    duration: int | None
    time_base: Fraction
    is_keyframe: bool

    @classmethod
    def of(cls, packet: av.Packet, place: int) -> "LatePacket":
        """A copy of a packet."""
        times = {name: getattr(packet, name) for name in ("pts", "dts", "duration", "time_base")}
        return cls(place=place, data=bytes(packet), is_keyframe=packet.is_keyframe, **times)

    def packet(self, stream: av.stream.Stream) -> av.Packet:
        """The packet, as one of the given stream."""
        packet = av.Packet(self.data)
        packet.stream, packet.time_base = stream, self.time_base
        packet.pts, packet.dts, packet.duration = self.pts, self.dts, self.duration or 0
        packet.is_keyframe = self.is_keyframe
        return packet


Late = dict[int, list[LatePacket]]
"""The late packets of each stream, by the stream's number."""


class LateFinder:
    """Finds late packets by their places in the file, which otherwise rise within a stream."""

    def __init__(self) -> None:
        self.late: Late = defaultdict(list)
        self._positions: dict[int, array] = defaultdict(lambda: array("q"))

    def add(self, packet: av.Packet) -> None:
        """Looks at the next packet."""
        positions = self._positions[packet.stream.index]
        latest = positions[-1] if positions else 0
        position = latest if packet.pos is None else packet.pos
        if position < latest:
            place = bisect_right(positions, position)
            self.late[packet.stream.index].append(LatePacket.of(packet, place))
        else:
            positions.append(position)


def in_order(packets: Iterator[av.Packet], late: Late) -> Iterator[av.Packet]:
    """The packets in the order in which they are in the file."""
    latest: dict[int, int] = defaultdict(int)
    counts: dict[int, int] = defaultdict(int)
    for packet in packets:
        index = packet.stream.index
        position = latest[index] if packet.pos is None else packet.pos
        if packet.size and index in late:
            if position < latest[index]:
                continue
            for each in late[index]:
                if each.place == counts[index]:
                    yield each.packet(packet.stream)
            latest[index], counts[index] = position, counts[index] + 1
        yield packet
