"""Elements of a Matroska header."""

import av
import pytest

from vdiff_jax.media.matroska_header import SEGMENT, TRACK_ENTRY, TRACKS, element, header_of, sized


def test_elements_are_found_by_their_path(make_clip):
    with av.open(str(make_clip(size=(64, 48)).path)) as container:
        data = header_of(container.streams.video[0])
    width, height = (element(data, SEGMENT, TRACKS, TRACK_ENTRY, b"\xe0", number) for number in (b"\xb0", b"\xba"))
    assert [int.from_bytes(data[begin:end], "big") for begin, end in (width, height)] == [64, 48]
    with pytest.raises(ValueError, match="no element 55b7"):
        element(data, SEGMENT, TRACKS, TRACK_ENTRY, b"\x55\xb7")


def test_a_payload_is_written_after_its_size():
    data = SEGMENT + sized(TRACKS + sized(b"abc"))
    begin, end = element(data, SEGMENT, TRACKS)
    assert data[begin:end] == b"abc"
