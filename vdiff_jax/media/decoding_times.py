"""The decoding times of packets, where an encoder gives none."""

from collections.abc import Sequence

import av

X265_DELAY = 2
"""Frames by which x265 delays decoding. It gives a video of so few frames random numbers as decoding times."""


def decode_in_order(packets: Sequence[av.Packet]) -> None:
    """Gives packets in the order of decoding the latest decoding times that rise with it."""
    times = sorted(packet.pts for packet in packets)
    delay = max((time - packet.pts for time, packet in zip(times, packets, strict=True)), default=0)
    for time, packet in zip(times, packets, strict=True):
        packet.dts = time - delay
