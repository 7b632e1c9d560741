"""The video that is piped in on stdin. An MP4 whose index is at its end needs a temporary file."""

import errno
import io
import logging
import shutil
import sys
import tempfile

import av

from vdiff_jax.errors import InputError
from vdiff_jax.media.sources import Readable

logger = logging.getLogger(__name__)
_HEAD = 1 << 16
"""Bytes that are read to find the index of an MP4."""
_SHARE = 0.9
"""The part of the free disk space that the temporary file may take."""


def standard_input() -> Readable:
    """Stdin, or a copy of it in a temporary file, which is deleted when it is closed.

    Raises:
        InputError: there is no room for the copy.
    """
    piped = sys.stdin.buffer
    if piped.seekable():
        return piped
    head = piped.read(_HEAD)
    return _copied(head, piped) if _index_is_late(head) else _Continued(head, piped)


def release(file: Readable | str) -> None:
    """Closes what `standard_input` returned, but not stdin; a file's name needs nothing."""
    if not isinstance(file, str) and file is not sys.stdin.buffer:
        file.close()


def warn_of_tracks(container: av.container.InputContainer) -> None:
    """Warns of what else is piped in beside the picture: a pipe is read once, and only for its picture."""
    kinds = [stream.type for stream in container.streams]
    counts = {kind: kinds.count(kind) - (kind == "video") for kind in dict.fromkeys(kinds)}
    named = [f"{count} {kind} track{'s' * (count > 1)}" for kind, count in counts.items() if count > 0]
    if named:
        logger.warning(
            "only the picture is read from stdin, without its %s: pass a file to keep them", ", ".join(named)
        )


def _index_is_late(head: bytes) -> bool:
    """Whether a file that begins like this is an MP4 or MOV whose index does not come before its frames."""
    at = 0
    while at + 8 <= len(head):
        size, kind = int.from_bytes(head[at : at + 4], "big"), head[at + 4 : at + 8]
        if kind == b"mdat":
            return True
        if kind not in (b"ftyp", b"free", b"skip", b"wide", b"uuid", b"pnot") or size < 8:
            return False
        at += size
    return at > 0


def _copied(head: bytes, rest: Readable) -> Readable:
    limit = int(_SHARE * shutil.disk_usage(tempfile.gettempdir()).free)
    copy = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        while head:
            if copy.tell() + len(head) > limit:
                raise OSError(errno.ENOSPC, "no space")
            copy.write(head)
            head = rest.read(1 << 20)
        copy.seek(0)
    except OSError as error:
        copy.close()
        raise InputError(
            f"stdin is an MP4 whose index is at its end, and {tempfile.gettempdir()} has no room for a copy: "
            "write it to a file and pass that, or set TMPDIR to a folder with more room"
        ) from error
    return copy


class _Continued(io.RawIOBase):
    """Bytes that have been read from a pipe, followed by the rest."""

    def __init__(self, head: bytes, rest: Readable):
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._rest.read(size)
        taken = self._head if size < 0 else self._head[:size]
        self._head = self._head[len(taken) :]
        return taken
