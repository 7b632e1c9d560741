"""The attachment: what a decoder needs besides the track, in as few bytes as that takes.

A version, a checksum of all the rest (CRC-32), and a row of variable-length integers: seven bits a byte, the lowest
first, signed ones in zigzag. The version and the checksum stay where they are in every version.
"""

import dataclasses
import zlib
from fractions import Fraction
from itertools import accumulate
from typing import Any

from vdiff_jax.compression import range_coder
from vdiff_jax.errors import AttachmentError
from vdiff_jax.postprocess.wiener import OPERATORS

VERSION = 1
OCTAVE = 8
"""Steps in which an error doubles."""
_CHECK = 4
_LONGEST = 10_000_000
_LARGEST = 4
"""By how much a side of the track is enlarged, at most."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stamps:
    """Exact times of the frames, which Matroska rounds to milliseconds.

    Attributes:
      time_base: seconds per unit.
      first: when the first frame is shown, from the start of the source.
      steps: from each frame to the next, and how long the last one is shown.
      lead: by how many milliseconds the track is later than the source, whose sound begins before its start.
    """

    time_base: Fraction
    first: int
    steps: tuple[int, ...]
    lead: int = 0

    @property
    def times(self) -> list[int]:
        """When each frame is shown."""
        return list(accumulate(self.steps[:-1], initial=self.first))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Named:
    """Weights.

    Attributes:
      weights: their name, for people.
      digest: the first bytes of their file's SHA-256.
    """

    weights: str
    digest: bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network(Named):
    """What the network is to do.

    Attributes:
      error: of Y', Cb and Cr, in eighths of an octave: over what the stream's quantisers let expect, or, where it tells
        none, over one 8-bit level.
      update: this video's own change of the parameters (see `update`).
    """

    error: tuple[int, int, int] = (0, 0, 0)
    update: bytes = b""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Diffusion:
    """What `wiener_step` is to do.

    Attributes:
      error: of Y', Cb and Cr, in eighths of an octave over one 8-bit level.
      steps: for Y', Cb and Cr in turn, the conductivity of each operator in 256ths.
    """

    error: tuple[int, int, int]
    steps: tuple[int, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How the source is made of the track.

    Attributes:
      size: the source's height and width.
      track: those of the track; None where they are the same.
      stamps: None where milliseconds are exact.
      diffusion: None for what is shown as it is decoded.
      network: None where diffusion goes without.
      filling: the weights that interpolate the frames that the track leaves out; None where it has all. Stamps, which
        tell how many there are, are beside it.
    """

    size: tuple[int, int]
    track: tuple[int, int] | None = None
    stamps: Stamps | None = None
    diffusion: Diffusion | None = None
    network: Network | None = None
    filling: Named | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the track."""
        return self.track or self.size

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return self.track is None and self.stamps is None and self.diffusion is None and self.filling is None

    def pack(self) -> bytes:
        """As bytes."""
        out = _Writer()
        parts = (self.stamps, self.diffusion, self.network, self.track, self.filling)
        out.integers(sum(1 << bit for bit, part in enumerate(parts) if part is not None), *self.size)
        if self.stamps is not None:
            _write_stamps(out, self.stamps)
        if self.diffusion is not None:
            out.signed(*self.diffusion.error)
            out.block(range_coder.encode(self.diffusion.steps))
        if self.network is not None:
            _write_name(out, self.network)
            out.signed(*self.network.error)
            out.block(self.network.update)
        if self.track is not None:
            out.integers(*self.track)
        if self.filling is not None:
            _write_name(out, self.filling)
        body = bytes([VERSION]) + out.data
        return body[:1] + zlib.crc32(body).to_bytes(_CHECK, "big") + body[1:]


def unpack(data: bytes) -> Recipe:
    """The inverse of `Recipe.pack`.

    Raises:
      AttachmentError: the bytes are damaged, or of a newer version.
    """
    if len(data) < 1 + _CHECK or zlib.crc32(data[:1] + data[1 + _CHECK :]).to_bytes(_CHECK, "big") != data[1:5]:
        raise AttachmentError("the attachment is damaged: its checksum is not what it holds")
    if data[0] != VERSION:
        raise AttachmentError(f"the attachment is of version {data[0]}, newer than {VERSION}: update vdiff_jax")
    try:
        return _read(_Reader(data[1 + _CHECK :]))
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise AttachmentError(f"the attachment makes no sense: {error}") from error


def _read(data: "_Reader") -> Recipe:
    there, height, width = data.integers(3)
    if there > 31 or there & 17 == 16:
        raise ValueError(f"it has parts {there}")
    stamps = _read_stamps(data) if there & 1 else None
    diffusion = network = None
    if there & 2:
        error = tuple(data.signed(3))
        diffusion = Diffusion(error=error, steps=tuple(range_coder.decode(data.block(), 3 * OPERATORS)))
    if there & 4:
        network = Network(**_read_name(data), error=tuple(data.signed(3)), update=data.block())
    track = tuple(data.integers(2)) if there & 8 else None
    if track and not all(0 < small <= large <= _LARGEST * small for small, large in zip(track, (height, width))):
        raise ValueError(f"a track of {track} for a video of {(height, width)}")
    filling = Named(**_read_name(data)) if there & 16 else None
    parts = {"track": track, "stamps": stamps, "diffusion": diffusion, "network": network, "filling": filling}
    return Recipe(size=(height, width), **parts)


def _write_name(out: "_Writer", named: Named) -> None:
    out.block(named.weights.encode())
    out.block(named.digest)


def _read_name(data: "_Reader") -> dict[str, Any]:
    return {"weights": data.block().decode(), "digest": data.block()}


def _write_stamps(out: "_Writer", stamps: Stamps) -> None:
    usual = max(set(stamps.steps), key=stamps.steps.count)
    out.integers(*stamps.time_base.as_integer_ratio(), stamps.lead, len(stamps.steps))
    out.signed(stamps.first, usual)
    out.block(range_coder.encode([step - usual for step in stamps.steps]))


def _read_stamps(data: "_Reader") -> Stamps:
    numerator, denominator, lead, count = data.integers(4)
    first, usual = data.signed(2)
    if count > _LONGEST:
        raise ValueError(f"{count} frames")
    steps = tuple(usual + step for step in range_coder.decode(data.block(), count))
    return Stamps(time_base=Fraction(numerator, denominator), first=first, steps=steps, lead=lead)


class _Writer:
    def __init__(self) -> None:
        self.data = b""

    def integers(self, *values: int) -> None:
        for value in values:
            rest = int(value)
            while rest > 0x7F:
                self.data += bytes([rest & 0x7F | 0x80])
                rest >>= 7
            self.data += bytes([rest])

    def signed(self, *values: int) -> None:
        self.integers(*(value << 1 if value >= 0 else -value << 1 | 1 for value in values))

    def block(self, data: bytes) -> None:
        self.integers(len(data))
        self.data += data


class _Reader:
    def __init__(self, data: bytes):
        self._data, self._at = data, 0

    def integers(self, count: int) -> list[int]:
        return [self._integer() for _ in range(count)]

    def signed(self, count: int) -> list[int]:
        return [-(value >> 1) if value & 1 else value >> 1 for value in self.integers(count)]

    def block(self) -> bytes:
        length = self._integer()
        if self._at + length > len(self._data):
            raise ValueError("it ends too early")
        self._at += length
        return self._data[self._at - length : self._at]

    def _integer(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._data[self._at]
            value |= (byte & 0x7F) << shift
            self._at, shift = self._at + 1, shift + 7
            if byte < 0x80:
                return value
