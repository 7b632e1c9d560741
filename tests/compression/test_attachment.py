"""The attachment: all of it comes back, and no damage goes unseen."""

import zlib
from fractions import Fraction

import pytest

from vdiff_jax.compression.attachment import VERSION, Diffusion, Named, Network, Recipe, Stamps, unpack
from vdiff_jax.errors import AttachmentError
from vdiff_jax.postprocess.wiener import OPERATORS

NETWORK = Network(weights="base", digest=bytes(range(8)), error=(-3, 0, 12), update=bytes([2]) + bytes(range(99)))
DIFFUSION = Diffusion(error=(9, -20, 0), steps=tuple(7 - n for n in range(3 * OPERATORS)))
STAMPS = Stamps(time_base=Fraction(1001, 30000), first=-7, steps=(1, 1, 2, 1, 40, 1), lead=24)
RECIPES = [
    Recipe(size=(270, 480)),
    Recipe(size=(1, 70_000), stamps=STAMPS),
    Recipe(size=(270, 480), diffusion=DIFFUSION),
    Recipe(size=(271, 480), track=(136, 240)),
    Recipe(size=(2160, 3840), track=(1080, 1920), stamps=STAMPS, diffusion=DIFFUSION, network=NETWORK),
    Recipe(size=(270, 480), stamps=STAMPS, filling=Named(weights="base", digest=bytes(8))),
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_comes_back(recipe):
    assert unpack(recipe.pack()) == recipe


def test_it_is_small():
    hour = Stamps(time_base=Fraction(1, 90000), first=0, steps=(3003,) * 108_000)
    assert len(Recipe(size=(1080, 1920), stamps=hour).pack()) < 40


def test_times_are_sums_of_steps():
    assert STAMPS.times == [-7, -6, -5, -3, -2, 38]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_flipped_bit_is_seen(recipe):
    packed = recipe.pack()
    for at in range(len(packed)):
        for bit in range(8):
            damaged = bytearray(packed)
            damaged[at] ^= 1 << bit
            with pytest.raises(AttachmentError, match="damaged"):
                unpack(bytes(damaged))


def test_every_length_short_of_all_is_seen():
    packed = RECIPES[-1].pack()
    for length in range(len(packed)):
        with pytest.raises(AttachmentError):
            unpack(packed[:length])


def signed(body: bytes) -> bytes:
    return body[:1] + zlib.crc32(body).to_bytes(4, "big") + body[1:]


def test_a_newer_version_is_named():
    body = bytes([VERSION + 1]) + b"what is to come"
    with pytest.raises(AttachmentError, match=f"version {VERSION + 1}.*update vdiff_jax"):
        unpack(signed(body))


@pytest.mark.parametrize(
    "body", [b"", bytes([33, 1, 1, 0]), bytes([16, 1, 1, 0]), bytes([0, 1]), bytes([1, 1, 1, 1, 0, 0, 1, 2])]
)
def test_nonsense_with_a_good_checksum_is_named(body):
    with pytest.raises(AttachmentError, match="no sense"):
        unpack(signed(bytes([VERSION]) + body))


@pytest.mark.parametrize("track", [(54, 480), (272, 480), (0, 0)])
def test_a_track_that_no_encoder_makes_is_refused(track):
    with pytest.raises(AttachmentError, match="makes no sense: a track of"):
        unpack(Recipe(size=(270, 480), track=track).pack())
