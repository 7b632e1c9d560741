"""Integers and blocks of bytes."""

import pytest

from vdiff_jax.compression.byte_stream import ByteReader, ByteWriter


def test_what_was_written_is_read():
    writer = ByteWriter()
    writer.integers(0, 127, 128, 1 << 40)
    writer.signed(0, -1, 1, -300)
    writer.block(b"abc")
    reader = ByteReader(writer.data)
    assert reader.integers(4) == [0, 127, 128, 1 << 40]
    assert reader.signed(4) == [0, -1, 1, -300]
    assert reader.block() == b"abc"


def test_small_integers_take_one_byte():
    writer = ByteWriter()
    writer.integers(127)
    writer.signed(63, -63)
    assert len(writer.data) == 3


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x05ab"])
def test_data_that_ends_too_early_is_an_error(data):
    with pytest.raises((ValueError, IndexError)):
        ByteReader(data).block()
