"""Where the chroma samples of 4:2:0 lie between the luma samples."""

import av

from vdiff_jax.media.matroska_header import SEGMENT, TRACK_ENTRY, TRACKS, element, header_of

_VIDEO, _COLOUR, _ACROSS, _DOWN = b"\xe0", b"\x55\xb0", b"\x55\xb7", b"\x55\xb8"  # numbers of Matroska's elements
_NAMES = {(1, 2): "left", (2, 2): "center", (1, 1): "topleft", (2, 1): "top", (1, 3): "bottomleft", (2, 3): "bottom"}
"""FFmpeg's names of Matroska's horizontal and vertical siting."""


def chroma_location(stream: av.VideoStream) -> str:
    """FFmpeg's name of the location of a stream's chroma samples; empty where none is known.

    PyAV does not tell it, but Matroska's header does.
    """
    try:
        data = header_of(stream)
        colour = (SEGMENT, TRACKS, TRACK_ENTRY, _VIDEO, _COLOUR)
        spans = [element(data, *colour, number) for number in (_ACROSS, _DOWN)]
    except (ValueError, av.FFmpegError):
        return ""
    across, down = (int.from_bytes(data[begin:end], "big") for begin, end in spans)
    return _NAMES.get((across, down), "")
