"""The attachment: packing loses nothing, and every kind of damage is reported."""

import dataclasses
import zlib
from fractions import Fraction

import pytest

from vdiff_jax.compression.attachment import (
    VERSION,
    Attachment,
    Network,
    Timestamps,
    WeightsId,
    WienerStep,
    unpack,
)
from vdiff_jax.errors import AttachmentError
from vdiff_jax.postprocess.wiener_operators import LUMA_OPERATORS, OPERATORS

NETWORK = Network(name="base", digest=bytes(range(8)), error=(-3, 0, 12))
OLD = WienerStep(error=(9, -20, 0), coefficients=tuple(7 - n for n in range(3 * OPERATORS)), thresholds=None)
COUNT = 2 * OPERATORS
WIENER = WienerStep(error=(9, -20, 0), coefficients=tuple(7 - n for n in range(LUMA_OPERATORS + COUNT)), directions=1)
NUMBERS = tuple((n * n) % 41 - 20 for n in range(3 * 5 * LUMA_OPERATORS + COUNT))
CLASSES = WienerStep(error=(9, -20, 0), coefficients=NUMBERS, thresholds=(-3, 14), directions=5)
TIMESTAMPS = Timestamps(time_base=Fraction(1001, 30000), first=-7, steps=(1, 1, 2, 1, 40, 1), lead=24)
ATTACHMENTS = [
    Attachment(size=(270, 480)),
    Attachment(size=(1, 70_000), timestamps=TIMESTAMPS),
    Attachment(size=(270, 480), wiener=WIENER),
    Attachment(size=(270, 480), wiener=CLASSES),
    Attachment(size=(270, 480), wiener=WIENER, key_frames=(1, 65535, 0)),
    Attachment(size=(271, 480), track=(136, 240)),
    Attachment(size=(2160, 3840), track=(1080, 1920), timestamps=TIMESTAMPS, wiener=WIENER, network=NETWORK),
    Attachment(size=(270, 480), timestamps=TIMESTAMPS, interpolation=WeightsId(name="base", digest=bytes(8))),
]


@pytest.mark.parametrize("attachment", ATTACHMENTS)
def test_unpacking_inverts_packing(attachment):
    assert unpack(attachment.pack()) == attachment


def test_five_minutes_of_even_time_stamps_takes_few_bytes():
    clip = Timestamps(time_base=Fraction(1, 90000), first=0, steps=(3003,) * 9000)
    assert len(Attachment(size=(1080, 1920), timestamps=clip).pack()) < 40


def test_time_stamps_are_sums_of_steps():
    assert TIMESTAMPS.times == [-7, -6, -5, -3, -2, 38]


def test_bytes_of_earlier_releases_stay_readable():
    packed = bytes.fromhex(
        "0100000000"
        "1ff010801ee907b0ea0118060f020327f0771229001be0d7065b5ae6be2569224da580b78d4e1d439b681aa893636b7f60046261"
        "7365080001020304050607070018"
        "00b808800f0466617374080000000000000000"
    )
    whole = dataclasses.replace(ATTACHMENTS[6], interpolation=WeightsId(name="fast", digest=bytes(8)))
    assert unpack(with_checksum(packed[:1] + packed[5:])) == dataclasses.replace(whole, wiener=OLD)


def test_bytes_of_version_2_stay_readable():
    """It had as many operators for luma as for chroma, and no classes by direction."""
    packed = bytes.fromhex(
        "02503fa819028e02e00312290002071c23492233d8071f00a1b06e93e878c890d0fb3de2458f3967f9bea0b6523a9fd6083c2778"
    )
    wiener = WienerStep(error=(9, -20, 0), coefficients=tuple(range(5 * OPERATORS)), thresholds=(-3, 14))
    assert unpack(packed) == Attachment(size=(270, 480), wiener=wiener)
    assert wiener.rows.shape == (5, OPERATORS)


def test_rows_of_chroma_have_zeros_where_only_luma_has_operators():
    assert CLASSES.rows.shape == (3 * 5 + 2, LUMA_OPERATORS)
    assert CLASSES.rows[:-2].ravel().tolist() == list(NUMBERS[:-COUNT])
    assert not CLASSES.rows[-2:, :-OPERATORS].any()
    assert CLASSES.rows[-2:, -OPERATORS:].ravel().tolist() == list(NUMBERS[-COUNT:])


def test_a_change_of_the_network_s_parameters_is_refused():
    """Files of earlier releases had one where it gained something, which was hardly ever."""
    packed = bytes.fromhex(
        "0124d0b3491ff010801ee907b0ea0118060f020327f0771229001be0d7065b5ae6be2569224da580b78d4e1d439b681aa893636b7f60046261"
        "73650800010203040506070700181502000102030405060708090a0b0c0d0e0f10111213b808800f0466617374080000000000000000"
    )
    with pytest.raises(AttachmentError, match="changes the network's parameters"):
        unpack(packed)


@pytest.mark.parametrize("attachment", ATTACHMENTS)
def test_every_flipped_bit_is_reported(attachment):
    packed = attachment.pack()
    for at in range(len(packed)):
        for bit in range(8):
            damaged = bytearray(packed)
            damaged[at] ^= 1 << bit
            with pytest.raises(AttachmentError, match="damaged"):
                unpack(bytes(damaged))


def test_every_truncation_is_reported():
    packed = ATTACHMENTS[-1].pack()
    for length in range(len(packed)):
        with pytest.raises(AttachmentError):
            unpack(packed[:length])


def with_checksum(body: bytes) -> bytes:
    return body[:1] + zlib.crc32(body).to_bytes(4, "big") + body[1:]


def test_a_newer_version_is_reported():
    body = bytes([VERSION + 1]) + b"content of the future"
    with pytest.raises(AttachmentError, match=f"version {VERSION + 1}.*update vdiff_jax"):
        unpack(with_checksum(body))


@pytest.mark.parametrize(
    "body", [b"", bytes([65, 1, 1, 0]), bytes([16, 1, 1, 0]), bytes([0, 1]), bytes([1, 1, 1, 1, 0, 0, 1, 2])]
)
def test_invalid_content_with_a_valid_checksum_is_reported(body):
    with pytest.raises(AttachmentError, match="is invalid"):
        unpack(with_checksum(bytes([VERSION]) + body))


@pytest.mark.parametrize("track", [(54, 480), (272, 480), (0, 0)])
def test_a_track_of_an_impossible_size_is_refused(track):
    with pytest.raises(AttachmentError, match="is invalid: a track of"):
        unpack(Attachment(size=(270, 480), track=track).pack())


def test_more_frames_than_the_file_can_have_are_refused():
    times = Timestamps(time_base=Fraction(1, 25), first=0, steps=(1,) * 50)
    packed = Attachment(size=(270, 480), timestamps=times).pack()
    assert unpack(packed, most_frames=50).timestamps == times
    with pytest.raises(AttachmentError, match="50 frames are too many"):
        unpack(packed, most_frames=49)
