"""Whether a file is whole: it ends where its container says, and the parts of a Matroska file have their checksums."""

import functools
import os
import zlib
from collections.abc import Callable, Collection, Iterable
from fractions import Fraction
from typing import BinaryIO

import av

from vdiff_jax.media.joined import boxes, element_at, objects, segments
from vdiff_jax.media.matroska_header import SEGMENT

_GIF_TRAILER, _PNG_END = b"\x3b", b"IEND"
_OGG_PAGE, _OGG_HEAD, _OGG_LAST = b"OggS", 27, 4
_LONGEST_PAGE = 65_307  # bytes of the longest page of Ogg, and more than the padding behind an end mark
_ROUNDING = 1.0
"""Seconds by which the fragments of a whole MP4 may be shorter than its header says."""
_CHECKSUM, _CHECKSUM_BYTES = b"\xbf\x84", 6
"""How an element of Matroska begins that has a checksum, of its payload after these bytes and the checksum."""
_AT_ONCE = 1 << 20
"""Bytes that are read at once to compute a checksum."""
_PREFIX, _PACK, _PROGRAM_END = b"\0\0\1", b"\0\0\1\xba", b"\0\0\1\xb9"
"""How each part of a program stream begins, and two parts that do not store their length."""
_FLV_HEAD, _FLV_TAG, _FLV_SIZE = 9, 11, 4


def is_cut_off(name: str, formats: Collection[str], seconds: float | None) -> bool:
    """Whether the outermost structure of a file goes on behind its last byte, or lacks its end mark.

    Raw streams have neither.

    Args:
        name: the file.
        formats: FFmpeg's names of its format.
        seconds: how long all its fragments last, if it is an MP4; None if that is unknown.
    """
    with open(name, "rb") as file:
        if any(check(file) for form, check in _CHECKS.items() if form in formats):
            return True
        return "mp4" in formats and _lacks_fragments(file, seconds)


def declared_packets(container: av.container.InputContainer, stream: av.VideoStream) -> int:
    """How many packets the index of an MP4 or MOV has; those that an edit list hides do not count. 0 for others."""
    if "mp4" not in container.format.name:
        return 0
    return sum(bool(entry.size) and not entry.is_discard for entry in stream.index_entries)


def tolerance(container: av.container.InputContainer, frame: Fraction, declared: Fraction) -> Fraction:
    """Seconds by which the last frame may end before the end that a container declares for it.

    Args:
        container: the file.
        frame: seconds that a frame lasts.
        declared: seconds that the video lasts.
    """
    exact = "matroska" in container.format.name or container.format.name == "avi"
    return 3 * frame / 4 if exact else max(2 * frame, declared / 100)  # ASF rounds


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _cut_within(parts: Callable[[BinaryIO], Iterable[tuple[bytes, int, int]]]) -> Callable[[BinaryIO], bool]:
    """A check of the last of the parts, each with its kind, start and end, that a file consists of."""

    def check(file: BinaryIO) -> bool:
        return max((end for _, _, end in parts(file)), default=0) > _size(file)

    return check


def _lacks_fragments(file: BinaryIO, seconds: float | None) -> bool:
    """Whether an MP4 ends between two fragments. Its header may declare how long all of them last (`mehd`).

    FFmpeg writes an index of the fragments before them (`sidx`), or behind the last one (`mfra`).
    """
    parts = {kind: (start, end) for kind, start, end in boxes(file)}
    if b"moof" not in parts or b"moov" not in parts:
        return False
    start, end = parts[b"moov"]
    file.seek(start)
    header = file.read(end - start)
    declared = _declared_seconds(header)
    if declared is not None and seconds is not None and seconds < declared - _ROUNDING:
        return True
    return b"Lavf" in header and not parts.keys() & {b"sidx", b"mfra"}


def _declared_seconds(header: bytes) -> float | None:
    """How long all fragments last, as the `moov` of an MP4 says; None where it does not, or says 0."""
    movie, fragments = header.find(b"mvhd") + 4, header.find(b"mehd") + 4
    if movie < 4 or fragments < 4:
        return None
    at = movie + (20 if header[movie] else 12)
    scale = int.from_bytes(header[at : at + 4], "big")
    ticks = int.from_bytes(header[fragments + 4 :][: 8 if header[fragments] else 4], "big")
    return ticks / scale if ticks and scale else None


def _cut_riff(file: BinaryIO) -> bool:
    """Whether a part of an AVI is cut off. A size of 0 is that of a recording that was not closed."""
    at, end = 0, _size(file)
    while at + 12 <= end:
        file.seek(at)
        head = file.read(8)
        size = int.from_bytes(head[4:], "little")
        if head[:4] != b"RIFF" or not size:
            return False
        at += 8 + size + size % 2
    return at > end + 1


def _cut_flv(file: BinaryIO) -> bool:
    """Whether the last tag of an FLV is cut off: each is followed by its size."""
    end, at = _size(file), _FLV_HEAD + _FLV_SIZE
    while at + _FLV_TAG <= end:
        file.seek(at)
        head = file.read(_FLV_TAG)
        if head[0] & 0x1F not in (8, 9, 18):
            return False
        at += _FLV_TAG + int.from_bytes(head[1:4], "big") + _FLV_SIZE
    return at > end or end - at >= _FLV_SIZE


def _tail(file: BinaryIO) -> bytes:
    file.seek(max(0, _size(file) - _LONGEST_PAGE))
    return file.read()


def _cut_ogg(file: BinaryIO) -> bool:
    """Whether the last page of an Ogg is cut off, or not marked as the last one of its stream."""
    tail = _tail(file)
    at = tail.rfind(_OGG_PAGE)
    if at < 0 or len(tail) < at + _OGG_HEAD:
        return at >= 0
    count = tail[at + _OGG_HEAD - 1]
    return not tail[at + 5] & _OGG_LAST or len(tail) < at + _OGG_HEAD + count + sum(tail[at + _OGG_HEAD :][:count])


def _cut_program(file: BinaryIO) -> bool:
    """Whether the last packet of a program stream is cut off. Few programs write the end code."""
    tail = _tail(file)
    at = tail.rfind(_PACK)
    while (head := tail[at : at + 14].ljust(14, b"\0")).startswith(_PREFIX):
        if head.startswith(_PACK):
            at += 14 + head[13] % 8 if head[4] >> 6 == 1 else 12  # MPEG-2, or MPEG-1
        else:
            at += 4 if head.startswith(_PROGRAM_END) else 6 + int.from_bytes(head[4:6], "big")
    return at > len(tail)


def _cut_transport(file: BinaryIO) -> bool:
    """Whether the last packet of a transport stream is cut off. Packets may carry times or checksums."""
    return all(_size(file) % length for length in (188, 192, 204))


_CHECKS: dict[str, Callable[[BinaryIO], bool]] = {
    "mp4": _cut_within(boxes),
    "asf": _cut_within(objects),
    "avi": _cut_riff,
    "flv": _cut_flv,
    "ogg": _cut_ogg,
    "matroska": _cut_within(segments),
    "mpeg": _cut_program,
    "mpegts": _cut_transport,
    "gif": lambda file: _GIF_TRAILER not in _tail(file)[-16:],
    "apng": lambda file: _PNG_END not in _tail(file),
}
"""What tells that a file is cut off, by FFmpeg's name of its format."""


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
