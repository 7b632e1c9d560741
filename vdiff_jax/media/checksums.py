"""The checksums of Matroska, by which changed bytes are found that a decoder takes for a picture."""

import functools
import os
import zlib
from typing import BinaryIO

from vdiff_jax.media.joined import element_at
from vdiff_jax.media.matroska_header import SEGMENT

_CHECKSUM, _CHECKSUM_BYTES = b"\xbf\x84", 6
"""How an element begins that has a checksum, of its payload after these bytes and the checksum."""
_AT_ONCE = 1 << 20
"""Bytes that are read at once."""


def damaged_elements(name: str) -> int:
    """How many elements of a Matroska file have a checksum that does not match. Those without one are not counted."""
    status = os.stat(name)
    return _counted(os.path.abspath(name), status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _counted(name: str, size: int, changed: int) -> int:
    del changed
    with open(name, "rb") as file:
        at, damaged, inside = 0, 0, False
        while at < size:
            number, begin, end = element_at(file, at)
            if number == SEGMENT and not inside:  # a second one would not be read
                at, inside = begin, True
                continue
            if end is None or end > size:
                break
            damaged += not _matches(file, begin, end)
            at = end
    return damaged


def _matches(file: BinaryIO, begin: int, end: int) -> bool:
    """Whether the payload of an element has its checksum, or has none."""
    file.seek(begin)
    head = file.read(_CHECKSUM_BYTES)
    if not head.startswith(_CHECKSUM) or len(head) < _CHECKSUM_BYTES:
        return True
    left, found = end - begin - _CHECKSUM_BYTES, 0
    while left > 0 and (data := file.read(min(left, _AT_ONCE))):
        left, found = left - len(data), zlib.crc32(data, found)
    return found == int.from_bytes(head[2:], "little")
