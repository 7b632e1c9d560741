"""Segments: the encoded packets of some frames as arrays, which a later run muxes without encoding again."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import av
import numpy as np
from av.packet import PacketSideData, packet_sidedata_type_from_literal, packet_sidedata_type_to_literal

from vdiff_jax.errors import ResumeError

_NO_TIME = np.iinfo(np.int64).min
_TIMES = ("pts", "dts", "duration")
_BLOCK_BYTES = 1 << 20
_ARRAYS = 4
"""Arrays of a block: packets, table of packets, side data, table of side data."""


class Segment:
    """Passes packets on, in the order in which the encoder gives them, as blocks of arrays of about 1 MiB.

    Args:
        put: takes the arrays of each block.
    """

    def __init__(self, put: Callable[[list[np.ndarray]], object]):
        self._put = put
        self._begin()

    def _begin(self) -> None:
        self._data: list[bytes] = []
        self._table: list[tuple[int, ...]] = []
        self._side_data: list[tuple[int, int, bytes]] = []
        self._size = 0

    def add(self, packet: av.Packet) -> None:
        """Adds a copy of a packet."""
        times = (getattr(packet, name) for name in _TIMES)
        times = (_NO_TIME if time is None else int(time) for time in times)
        base = packet.time_base
        number = len(self._data)
        self._table.append((packet.size, *times, int(packet.is_keyframe), base.numerator, base.denominator))
        self._data.append(bytes(packet))
        for side in packet.iter_sidedata():
            self._side_data.append((number, packet_sidedata_type_from_literal(side.data_type), bytes(side)))
        self._size += packet.size
        if self._size >= _BLOCK_BYTES:
            self.flush()

    def flush(self) -> None:
        """Passes on the packets that are still here."""
        if not self._data:
            return
        sides = [(number, kind, len(data)) for number, kind, data in self._side_data]
        block = [
            np.frombuffer(b"".join(self._data), np.uint8),
            np.array(self._table, np.int64).reshape(-1, 7),
            np.frombuffer(b"".join(data for _, _, data in self._side_data), np.uint8),
            np.array(sides, np.int64).reshape(-1, 3),
        ]
        self._begin()
        self._put(block)


def packets_of(arrays: Sequence[np.ndarray], name: object) -> Iterator[av.Packet]:
    """The packets that a `Segment` passed on.

    Args:
        arrays: the arrays of its blocks, one block after the other.
        name: their file, for messages.

    Raises:
        ResumeError: the arrays contradict each other.
    """
    blocks = [arrays[begin : begin + _ARRAYS] for begin in range(0, len(arrays), _ARRAYS)]
    if not all(map(_fit, blocks)):
        raise ResumeError(f"{name} is damaged")
    for block in blocks:
        yield from _packets_of(*block)


def _packets_of(data: np.ndarray, table: np.ndarray, side_data: np.ndarray, sides: np.ndarray) -> Iterator[av.Packet]:
    """The packets of a block."""
    ends, side_ends = np.cumsum(table[:, 0]), np.cumsum(sides[:, 2])
    for number, (size, *times, key, over, under) in enumerate(table.tolist()):
        packet = av.Packet(data[ends[number] - size : ends[number]].tobytes())
        packet.pts, packet.dts, packet.duration = (None if time == _NO_TIME else time for time in times)
        packet.is_keyframe, packet.time_base = bool(key), Fraction(over, under)
        for place in np.flatnonzero(sides[:, 0] == number):
            _, kind, length = sides[place].tolist()
            side = PacketSideData(kind, length)
            side.update(side_data[side_ends[place] - length : side_ends[place]].tobytes())
            side.to_packet(packet)
        yield packet


def _fit(arrays: Sequence[np.ndarray]) -> bool:
    """Whether the arrays' types, shapes and sizes agree."""
    if [(array.dtype, array.ndim) for array in arrays] != [(np.uint8, 1), (np.int64, 2)] * 2:
        return False
    data, table, side_data, sides = arrays
    if table.shape[1] != 7 or sides.shape[1] != 3:
        return False
    counts, lengths = [int(size) for size in table[:, 0]], [int(length) for length in sides[:, 2]]
    if min([0, *counts]) < 0 or min([1, *lengths]) < 1 or sum(counts) != data.size or sum(lengths) != side_data.size:
        return False
    limit = 1 << 31
    bases = table[:, 5:]
    known = all(_is_side_data(int(kind)) for kind in sides[:, 1]) and bool(np.all(sides[:, 0] < len(table)))
    return known and bool(np.all((bases > 0) & (bases < limit)) and np.all(table[:, 3:4] < np.iinfo(np.int64).max))


def _is_side_data(kind: int) -> bool:
    try:
        packet_sidedata_type_to_literal(kind)
    except (IndexError, OverflowError):
        return False
    return True
