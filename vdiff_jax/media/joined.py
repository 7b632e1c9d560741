"""Recordings joined byte by byte into one file: in some formats FFmpeg reads only the first of them."""

import logging
import mmap
import os
from collections.abc import Iterator
from typing import BinaryIO

import av

from vdiff_jax.media.matroska_header import SEGMENT

logger = logging.getLogger(__name__)
_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_MXF_KEY = bytes.fromhex("060e2b34")
_MXF_PARTITION, _MXF_HEADER = _MXF_KEY + bytes.fromhex("020501010d01020101"), 2
"""How the key of a partition of an MXF begins, and the byte that says that it is the header."""
_FLV_MARK, _FLV_REST, _FLV_HEADER = b"FLV\x01", b"\x00\x00\x00\x09\x00\x00\x00\x00", 13
"""How FLV's header of 13 bytes begins and ends; a byte of flags is between."""


def warn_if_unread(name: str, container: av.container.InputContainer, unread_from: int | None) -> None:
    """Warns of a second recording in a file that is not read.

    Args:
        name: the file.
        container: the same, open.
        unread_from: the byte after which nothing was read, if that is known.
    """
    begins = second_recording(name, container) if unread_from is None else unread_from
    if begins is not None:
        logger.warning(
            "%s is not read after byte %d of %d: it seems to be joined of several recordings; pass each as a file "
            "of its own",
            *(name, begins, os.path.getsize(name)),
        )


def second_recording(name: str, container: av.container.InputContainer) -> int | None:
    """The byte at which a second recording begins that FFmpeg does not read; None where there is none.

    Other formats than MP4, QuickTime, WMV and FLV are read to their end.
    """
    formats = set(container.format.name.split(","))
    with open(name, "rb") as file:
        if "mp4" in formats:
            return _second_movie(boxes(file))
        if "asf" in formats:
            headers = (at for kind, at, _ in objects(file) if kind == _ASF_HEADER and at)
            return next(headers, None)
        return _second_flv(file) if "flv" in formats else None


def _second_movie(boxes: Iterator[tuple[bytes, int, int]]) -> int | None:
    """Where the second movie of an MP4 begins, which has a `moov` of its own."""
    begun, movies = 0, 0
    for kind, at, _ in boxes:
        begun = at if kind == b"ftyp" else begun
        movies += kind == b"moov"
        if movies == 2:
            return begun or at
    return None


def boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The kind, start and end of each outermost box of an MP4. The end may be beyond the end of a file that was cut."""
    end, at = os.fstat(file.fileno()).st_size, 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:], "big") if size == 1 else size
        yield head[4:8], at, at + size
        if size < 8:  # up to the end of the file, or damage
            return
        at += size


def objects(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The kind, start and end of each outermost object of an ASF file (WMV). The end may be beyond that of the file."""
    end, at = os.fstat(file.fileno()).st_size, 0
    while at + 24 <= end:
        file.seek(at)
        head = file.read(24)
        size = int.from_bytes(head[16:], "little")
        yield head[:16], at, at + size
        if size < 24:
            return
        at += size


def has_second_segment(name: str) -> bool:
    """Whether a Matroska file holds more than one segment. FFmpeg reads all of them, but each has times of its own."""
    with open(name, "rb") as file:
        found = (number for number, _, _ in segments(file) if number == SEGMENT)
        return next(found, None) is not None and next(found, None) is not None


def segments(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """The number, start and end of each outermost element of a Matroska file. One of unknown size ends at its start."""
    length, at = os.fstat(file.fileno()).st_size, 0
    while at + 2 <= length:
        number, _, end = element_at(file, at)
        yield number, at, at if end is None else end
        if end is None:
            return
        at = end


def element_at(file: BinaryIO, at: int) -> tuple[bytes, int, int | None]:
    """The number, begin of the payload and end of an element of Matroska; no end if it is unknown, or damaged."""
    file.seek(at)
    head = file.read(12).ljust(2, b"\0")
    first = 9 - head[0].bit_length()
    body = first + 9 - (head[first : first + 1] or b"\0")[0].bit_length()
    size = int.from_bytes(head[first:body], "big") & ((1 << 7 * (body - first)) - 1)
    known = first <= 4 and body <= first + 8 and size < (1 << 7 * (body - first)) - 1
    return head[:first], at + body, at + body + size if known else None


def has_second_partition(name: str) -> bool:
    """Whether an MXF holds a second header partition. FFmpeg gives the packets behind it all the same time."""
    with open(name, "rb") as file:
        end, at = os.fstat(file.fileno()).st_size, 0
        while at + 17 <= end:
            file.seek(at)
            head = file.read(25)
            if at and head.startswith(_MXF_PARTITION) and head[13] == _MXF_HEADER:
                return True
            more = head[16] & 0x7F if head[16] & 0x80 else 0
            size = int.from_bytes(head[17 : 17 + more], "big") if more else head[16]
            if more > 8 or not head.startswith(_MXF_KEY):  # damage
                return False
            at += 17 + more + size
    return False


def _second_flv(file: BinaryIO) -> int | None:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(_FLV_MARK, 1)
        while at >= 0 and data[at + 5 : at + _FLV_HEADER] != _FLV_REST:
            at = data.find(_FLV_MARK, at + 1)
    return at if at >= 0 else None
