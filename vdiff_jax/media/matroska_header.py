"""A stream's header as Matroska stores it, made in memory: it holds properties that PyAV neither reads nor sets."""

import io

import av

SEGMENT = b"\x18\x53\x80\x67"
TRACKS = b"\x16\x54\xae\x6b"
TRACK_ENTRY = b"\xae"
"""Numbers of Matroska's elements."""


def header_of(stream: av.stream.Stream) -> bytes:
    """The header of a Matroska file whose only track is a copy of this stream.

    Raises:
        av.FFmpegError, ValueError: Matroska can't hold it.
    """
    header = io.BytesIO()
    with av.open(header, "w", format="matroska") as output:
        output.add_stream_from_template(stream, opaque=True)  # there may be no encoder of its codec
        output.start_encoding()
    return header.getvalue()


def element(data: bytes, *path: bytes) -> tuple[int, int]:
    """Where the payload of an element begins and ends.

    Args:
        data: a Matroska file, or its header.
        *path: the numbers of the elements around it, from the outermost, then its own.

    Raises:
        ValueError: there is no such element.
    """
    span = (0, len(data))
    for number in path:
        span = _child(data, number, span)
    return span


def sized(payload: bytes) -> bytes:
    """A payload after its size, as Matroska writes it: 8 bytes, of which the first bit says their number."""
    return (1 << 56 | len(payload)).to_bytes(8, "big") + payload


def _child(data: bytes, wanted: bytes, span: tuple[int, int]) -> tuple[int, int]:
    """Where the payload of the first element with this number begins and ends, among the elements in a span."""
    at, end = span
    while at < end:
        first = at + 9 - data[at].bit_length()
        size_bytes = 9 - data[first].bit_length()
        body = first + size_bytes
        size = int.from_bytes(data[first:body], "big") & ((1 << 7 * size_bytes) - 1)
        stop = min(body + size, end)
        if data[at:first] == wanted:
            return body, stop
        at = stop
    raise ValueError(f"the Matroska header has no element {wanted.hex()}")
