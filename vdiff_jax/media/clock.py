"""Continuous time for files whose time stamps jump: joined recordings, restarted broadcasts, reset counters.

Sound, picture and subtitles are read in different modules. All of them use the file's `Clock`, so they get the same
correction and stay in sync.
"""

import contextlib
import dataclasses
import functools
import os
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import av
from av.format import Flags

from vdiff_jax.media.joined import has_second_partition, has_second_segment
from vdiff_jax.media.late_packets import Late, LateFinder, in_order
from vdiff_jax.media.probe import demuxed, open_container

# Formats, beside those that FFmpeg marks, whose time stamps may jump.
_LIVE_FORMATS = frozenset({"flv", "live_flv"})
# Seconds by which a stream's decoding time may fall, or rise, without being a jump. FFmpeg's tools allow a rise of 10.
_LARGEST_FALL, _LARGEST_RISE = 0.1, 10.0
_LARGEST_REST = 0.05  # the part of a file after its last packet that may be padding
_PACKS = 8192  # bytes that a last packet may take more than its content, and the padding of a short file
_UNITS = 90_000  # corrections are whole multiples of 1/90000 s, the unit of MPEG's clock


@dataclass(frozen=True, kw_only=True)
class Clock:
    """What is added to a file's time stamps.

    Attributes:
        shifts: for each stream's number, packet numbers in ascending order and the seconds to add from each one on.
        begin: seconds, in the file's own time, at which it starts; None if its header says so reliably.
        ends: corrected seconds at which each stream ends.
        counts: how many packets each stream has.
        late: packets that FFmpeg gives too late.
        unread_from: the byte after which the streams that the file begins with have no packet; None at its end.
    """

    shifts: dict[int, list[tuple[int, Fraction]]] = field(default_factory=dict)
    begin: Fraction | None = None
    ends: dict[int, Fraction] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    unread_from: int | None = None
    late: Late = field(default_factory=dict)

    @property
    def jumps(self) -> bool:
        """Whether time stamps or packets are moved. Such a file must be read from its beginning: seeking would fail."""
        return bool(self.shifts or self.late)

    def start(self, container: av.container.InputContainer) -> Fraction:
        """Seconds, in the file's own time, at which an open file starts."""
        return Fraction(container.start_time or 0, av.time_base) if self.begin is None else self.begin

    def packets(
        self, container: av.container.InputContainer, streams: Sequence[av.stream.Stream]
    ) -> Iterator[av.Packet]:
        """The packets of some streams from the beginning of the file, with corrected time stamps.

        Raises:
            av.FFmpegError: the file is damaged.
        """
        packets = demuxed(container, *streams)
        packets = in_order(packets, self.late) if self.late else packets
        return map(_Correction(self.shifts), packets) if self.jumps else packets


class _Correction:
    """Adds a clock's corrections to packets in the order of the file."""

    def __init__(self, shifts: dict[int, list[tuple[int, Fraction]]]):
        self._shifts = shifts
        self._counts: Counter[int] = Counter()

    def __call__(self, packet: av.Packet) -> av.Packet:
        if not packet.size:  # PyAV's end marker
            return packet
        shifts = self._shifts.get(packet.stream.index, [])
        at = bisect_right(shifts, self._counts[packet.stream.index], key=lambda shift: shift[0])
        self._counts[packet.stream.index] += 1
        if at:
            units = round(shifts[at - 1][1] / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + units
            packet.dts = None if packet.dts is None else packet.dts + units
        return packet


def clock_of(name: str) -> Clock:
    """The clock of a file. A file whose format allows jumps is read once to find them; `-` has none."""
    if not os.path.isfile(name):
        return Clock()
    status = os.stat(name)
    return _scanned(os.path.abspath(name), status.st_size, status.st_mtime_ns)


def start_of(name: str) -> Fraction:
    """Seconds, in the file's own time, at which it starts; 0 for what is no file.

    Raises:
        InputError: FFmpeg can't read it.
    """
    if not os.path.isfile(name):
        return Fraction(0)
    with open_container(name, name) as container:
        return clock_of(name).start(container)


@functools.lru_cache(maxsize=64)
def _scanned(name: str, size: int, changed: int) -> Clock:
    with open_container(name, name) as container:
        formats = set(container.format.name.split(","))
        jumps = container.format.flags & Flags.ts_discont.value or formats & _LIVE_FORMATS
        if "mxf" in formats:
            return _counted(_readable(demuxed(container))) if has_second_partition(name) else Clock()
        if not jumps and not ("matroska" in formats and has_second_segment(name)):
            return Clock()
        finder, scan, read = LateFinder(), _Scan(), 0
        for packet in _readable(demuxed(container)):
            if "mpegts" in formats:
                finder.add(packet)
            scan.add(packet)
            read = max(read, (packet.pos or 0) + packet.size)
    if finder.late:
        scan = _Scan()
        with open_container(name, name) as container:
            for packet in _readable(in_order(demuxed(container), finder.late)):
                scan.add(packet)
    unread = read if size - read > max(size * _LARGEST_REST, _PACKS) else None
    clock = scan.clock() if scan.jumps or finder.late else Clock()
    if "matroska" in formats:  # its first sound may lie before its start
        clock = dataclasses.replace(clock, begin=None)
    return dataclasses.replace(clock, late=dict(finder.late), unread_from=unread)


def _counted(packets: Iterator[av.Packet]) -> Clock:
    """The clock that lets each packet begin where the one before it ends, if its decoding time does not rise."""
    shifts: dict[int, list[tuple[int, Fraction]]] = defaultdict(list)
    ends: dict[int, Fraction] = {}
    counts: Counter[int] = Counter()
    latest: dict[int, int] = {}
    for packet in packets:
        index = packet.stream.index
        if packet.dts is None:
            continue
        stands = packet.dts <= latest.get(index, packet.dts - 1)
        time, lasts = packet.dts * packet.time_base, (packet.duration or 0) * packet.time_base
        if stands:
            shifts[index].append((counts[index], ends[index] - time))
            time = ends[index]
        latest[index], ends[index] = packet.dts, time + lasts
        counts[index] += 1
    return Clock(shifts=dict(shifts), ends=ends, counts=dict(counts)) if shifts else Clock()


def _readable(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """The packets that have content, until the end or damage."""
    with contextlib.suppress(av.FFmpegError):
        yield from (packet for packet in packets if packet.size)


@dataclass
class _Stretch:
    """Packets between two jumps: when each stream starts and ends, and the latest packet's time, all in seconds."""

    latest: float
    starts: dict[int, float] = field(default_factory=dict)
    ends: dict[int, float] = field(default_factory=dict)


class _Scan:
    """Divides a file's packets into stretches without a jump.

    The streams reach a jump at different places in the file, because each packet is delayed as its stream needs. So
    the first stream that jumps opens a stretch, and the others join it when their time fits it better.
    """

    def __init__(self) -> None:
        self._stretches: list[_Stretch] = []
        self._counts: Counter[int] = Counter()
        self._latest: dict[int, tuple[int, float, float]] = {}  # each stream's stretch, latest time and its end
        self._moves: dict[int, list[tuple[int, int]]] = {}  # each stream's packet numbers at which a stretch begins

    def add(self, packet: av.Packet) -> None:
        """Assigns the next packet of the file to a stretch."""
        index, number = packet.stream.index, self._counts[packet.stream.index]
        self._counts[index] += 1
        stamp = packet.dts if packet.dts is not None else packet.pts
        if packet.pts is not None and packet.dts is not None and packet.pts < packet.dts:
            stamp = packet.pts  # FFmpeg infers decoding times of Matroska, and those behind a jump too late
        if stamp is None:
            return
        unit = float(packet.time_base)
        time, lasts = stamp * unit, (packet.duration or 0) * unit
        if packet.dts is None and index in self._latest:  # as Matroska's first ones, which may be shown much later
            time = min(time, self._latest[index][2])
        leading = packet.stream.type in ("video", "audio")
        place = self._place(index, time, leading)
        if not lasts and index in self._latest and place == self._latest[index][0]:
            lasts = max(0.0, time - self._latest[index][1])  # as long as the packet before
        moves = self._moves.setdefault(index, [])
        if not moves or moves[-1][1] != place:
            moves.append((number, place))
        self._latest[index] = (place, time, time + lasts)
        if leading:
            stretch, shown = self._stretches[place], time if packet.pts is None else packet.pts * unit
            stretch.latest = time
            stretch.starts[index] = min(stretch.starts.get(index, shown), shown)
            stretch.ends[index] = max(stretch.ends.get(index, shown + lasts), shown + lasts)

    def _place(self, index: int, time: float, leading: bool) -> int:
        """The number of the stretch of a packet at this time. Only sound and picture, which lead, open a stretch."""
        newest = len(self._stretches) - 1
        if newest < 0:
            self._stretches.append(_Stretch(time))
            return 0
        if index not in self._latest:
            return newest
        place, latest, end = self._latest[index]
        if place < newest and abs(time - self._stretches[newest].latest) <= abs(time - end):
            return newest
        risen = min(time - end, time - self._stretches[place].latest) > _LARGEST_RISE
        if leading and (time < latest - _LARGEST_FALL or risen):
            self._stretches.append(_Stretch(time))
            return newest + 1
        return place

    @property
    def jumps(self) -> bool:
        """Whether the file has more than one stretch."""
        return len(self._stretches) > 1

    def clock(self) -> Clock:
        """The clock that lets each stretch begin where those before it end, without an overlap in any stream."""
        first, *later = self._stretches
        ends, shifts = dict(first.ends), [Fraction(0)]
        for stretch in later:
            gaps = [ends[i] - start for i, start in stretch.starts.items() if i in ends]
            shift = max(gaps) if gaps else max(ends.values()) - min(stretch.starts.values())
            shifts.append(Fraction(round(shift * _UNITS), _UNITS))
            for i, end in stretch.ends.items():
                ends[i] = max(ends.get(i, 0.0), end + float(shifts[-1]))
        return Clock(
            shifts={i: [(number, shifts[place]) for number, place in moves] for i, moves in self._moves.items()},
            begin=Fraction(round(min(first.starts.values()) * _UNITS), _UNITS),
            ends={i: Fraction(end).limit_denominator(_UNITS) for i, end in ends.items()},
            counts=dict(self._counts),
        )
