"""An adaptive binary range coder: stores integers, most of them near 0, in few bytes.

The coder is that of LZMA (G. N. N. Martin 1979; Igor Pavlov). An integer becomes bits by an Exp-Golomb code, whose
prefix has an adaptive model for each bit.
"""

from collections.abc import Sequence

_BITS = 12
"""Bits of a probability."""
_ONE = 1 << _BITS
"""The probability 1."""
_RATE = 4
"""A probability moves towards each coded bit by 2^-4 of the distance."""
_TOP = 1 << 24
"""A range below this is widened by a byte."""
_MASK = 0xFFFFFFFF


def encode(values: Sequence[int]) -> bytes:
    """The integers as bytes. Zeros take least; the more of them there are, the less each takes."""
    coder, models = _Encoder(), _Models()
    for value in values:
        _code(coder, models, int(value))
    return coder.finish()


def decode(data: bytes, count: int) -> list[int]:
    """The `count` integers that `encode` stored in `data`; other data gives arbitrary integers, never an error."""
    coder, models = _Decoder(data), _Models()
    return [_code(coder, models, None) for _ in range(count)]


class _Models:
    """The models of the prefix's bits.

    A model is a list with one element, the probability in 4096ths that the next bit is 0, so that `bit` can change it.
    The first bit, whether the integer is 0, has three models: one for each size of the integer before.
    """

    def __init__(self) -> None:
        self.zero = [[_ONE // 2] for _ in range(3)]
        self.prefix = [[_ONE // 2] for _ in range(40)]
        self.last_size = 0


def _code(coder: "_Encoder | _Decoder", models: _Models, value: int | None) -> int:
    """Writes `value`, or reads and returns one if it is None.

    The code has three parts: a prefix of as many ones as |value| + 1 has bits after its first, ended by a zero; those
    bits; and the sign.
    """
    size = None if value is None else (abs(value) + 1).bit_length() - 1
    length = 0
    while coder.bit(
        models.zero[models.last_size] if length == 0 else models.prefix[length], size and int(length < size)
    ):
        length += 1
        if length == len(models.prefix):
            break
    magnitude = 1
    for place in reversed(range(length)):
        bit = None if value is None else (abs(value) + 1) >> place & 1
        magnitude = magnitude << 1 | coder.bit([_ONE // 2], bit)
    models.last_size = min(length, 2)
    if magnitude == 1:
        return 0
    return -(magnitude - 1) if coder.bit([_ONE // 2], None if value is None else int(value < 0)) else magnitude - 1


class _Encoder:
    """Collects bits as bytes."""

    def __init__(self) -> None:
        self._low, self._range, self._out = 0, _MASK, bytearray()
        self._cache, self._pending = 0, 0

    def bit(self, model: list[int], bit: int | None) -> int:
        """Writes a bit, None as 0, and returns it."""
        bound = (self._range >> _BITS) * model[0]
        if bit:
            self._low += bound
            self._range -= bound
        else:
            self._range = bound
        _learn(model, bit or 0)
        while self._range < _TOP:
            self._range = self._range << 8 & _MASK
            self._shift()
        return bit or 0

    def _shift(self) -> None:
        if self._low < 0xFF000000 or self._low > _MASK:
            carry = self._low >> 32
            self._out += bytes([self._cache + carry & 0xFF]) + bytes([0xFF + carry & 0xFF]) * self._pending
            self._pending, self._cache = 0, self._low >> 24 & 0xFF
        else:
            self._pending += 1
        self._low = self._low << 8 & _MASK

    def finish(self) -> bytes:
        """All bytes, without the first one, which is always 0, and the last zeros, which the decoder adds."""
        # Any number in [low, low + range) decodes to the same bits: take the one with most zeros at its end.
        for zeros in (32, 24, 16, 8):
            rounded = self._low + (1 << zeros) - 1 >> zeros << zeros
            if rounded < self._low + self._range:
                self._low = rounded
                break
        for _ in range(5):
            self._shift()
        return bytes(self._out[1:]).rstrip(b"\0")


class _Decoder:
    """Returns the bits that `_Encoder` collected."""

    def __init__(self, data: bytes):
        self._data, self._position = data, 4
        self._range, self._code = _MASK, int.from_bytes(data[:4].ljust(4, b"\0"), "big")

    def bit(self, model: list[int], _: int | None) -> int:
        """Reads a bit."""
        bound = (self._range >> _BITS) * model[0]
        bit = int(self._code >= bound)
        if bit:
            self._code -= bound
            self._range -= bound
        else:
            self._range = bound
        _learn(model, bit)
        while self._range < _TOP:
            following = self._data[self._position] if self._position < len(self._data) else 0
            self._range, self._code = self._range << 8 & _MASK, (self._code << 8 | following) & _MASK
            self._position += 1
        return bit


def _learn(model: list[int], bit: int) -> None:
    """Moves a model's probability towards the bit that was coded."""
    model[0] += -(model[0] >> _RATE) if bit else (_ONE - model[0]) >> _RATE
