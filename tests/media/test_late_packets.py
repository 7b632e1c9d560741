"""Packets that come too late are put where they are in the file."""

from vdiff_jax.media.late_packets import LateFinder, in_order
from vdiff_jax.media.probe import demuxed, open_container


def packets(path, late=None):
    """The bytes of the packets of each stream, and the late ones."""
    finder = LateFinder()
    found = {}
    with open_container(str(path), str(path)) as container:
        read = demuxed(container)
        for packet in in_order(read, late) if late else read:
            if packet.size:
                finder.add(packet)
                found.setdefault(packet.stream.index, []).append((bytes(packet), packet.is_keyframe, packet.duration))
    return found, dict(finder.late)


def test_late_packets_are_put_where_they_are_in_the_file(flash_clip, tmp_path):
    """A transport stream whose picture and sound go on under other numbers."""
    one = flash_clip(tmp_path / "one.ts", flashes=(0.2,))
    two = flash_clip(tmp_path / "two.ts", flashes=(0.4,), mpegts_start_pid="336")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one.read_bytes() + two.read_bytes())
    (first, none), (second, _) = packets(one), packets(two)
    assert none == {}
    whole = {index: first[index] + second[index] for index in first}
    found, late = packets(joined)
    assert 0 in late
    assert late[0][0].place == len(first[0]) - 1
    assert found != whole
    assert packets(joined, late)[0] == whole
