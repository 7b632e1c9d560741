"""H.264 whose fields are coded as pictures of their own (PAFF), which no encoder of FFmpeg's makes."""

from collections.abc import Iterator

import numpy as np

_BLOCK = 16
_PCM = 25  # the type of a macroblock that is stored as samples
_MAIN, _LEVEL = 77, 30
_PARAMETERS, _PICTURE, _KEY, _OTHER = 0x67, 0x68, 0x65, 0x61  # the first bytes of the units of a stream


class _Bits:
    """The bits of a unit, in the notation of the H.264 standard."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def fixed(self, value: int, count: int) -> "_Bits":
        """u(n)."""
        self._bits += [value >> (count - 1 - place) & 1 for place in range(count)]
        return self

    def golomb(self, *values: int) -> "_Bits":
        """ue(v), or se(v) of 0."""
        for value in values:
            self.fixed(value + 1, 2 * (value + 1).bit_length() - 1)
        return self

    def samples(self, *planes: np.ndarray) -> "_Bits":
        """Samples of 8 bits after the padding up to a whole byte."""
        self._bits += [0] * (-len(self._bits) % 8)
        for plane in planes:
            self._bits += np.unpackbits(np.ascontiguousarray(plane).reshape(-1)).tolist()
        return self

    def unit(self, kind: int) -> bytes:
        """The unit, with its end mark and without a start code inside it."""
        data, zeros = bytearray(), 0
        for value in np.packbits([*self._bits, 1]).tolist():
            if zeros >= 2 and value <= 3:
                data.append(3)
                zeros = 0
            data.append(value)
            zeros = zeros + 1 if value == 0 else 0
        return bytes([0, 0, 0, 1, kind, *data])


def field_coded(frames: int = 40, size: tuple[int, int] = (64, 64), flashes: tuple[int, ...] = (10, 30)) -> bytes:
    """A stream of frames of two fields each: a ramp that moves from field to field, and white frames.

    Args:
      frames: how many.
      size: width and height, multiples of 32.
      flashes: the numbers of the white frames.
    """
    width, height = size
    sequence = _Bits().fixed(_MAIN, 8).fixed(0, 8).fixed(_LEVEL, 8).golomb(0, 0, 0, 4, 1).fixed(0, 1)
    sequence.golomb(width // _BLOCK - 1, height // (2 * _BLOCK) - 1).fixed(0b00100, 5)
    picture = _Bits().golomb(0, 0).fixed(0, 2).golomb(0, 0, 0).fixed(0, 3).golomb(0, 0, 0).fixed(0b100, 3)
    stream = sequence.unit(_PARAMETERS) + picture.unit(_PICTURE)
    for number in range(frames):
        for parity in (0, 1):
            luma = (40 + 4 * (np.arange(width) + 2 * (2 * number + parity)) % 160).astype(np.uint8)
            luma = np.full(width, 235, np.uint8) if number in flashes else luma
            stream += _field(np.tile(luma, (height // 2, 1)), parity, number)
    return stream


def _field(luma: np.ndarray, parity: int, number: int) -> bytes:
    """A field: the first one of each frame is a key picture."""
    bits = _Bits().golomb(0, 7, 0).fixed(0, 4).fixed(1, 1).fixed(parity, 1)
    if parity == 0:
        bits.golomb(number % 2)
    bits.fixed(parity, 8).fixed(0, 1 if parity else 2).golomb(0, 1)
    chroma = np.full((_BLOCK // 2, _BLOCK // 2), 128, np.uint8)
    for block in _blocks(luma):
        bits.golomb(_PCM).samples(block, chroma, chroma)
    return bits.unit(_OTHER if parity else _KEY)


def _blocks(luma: np.ndarray) -> Iterator[np.ndarray]:
    for row in range(0, luma.shape[0], _BLOCK):
        for column in range(0, luma.shape[1], _BLOCK):
            yield luma[row : row + _BLOCK, column : column + _BLOCK]
