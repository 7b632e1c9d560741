"""Integers and blocks of bytes, one after the other, as an attachment holds them."""


class ByteWriter:
    """Appends integers of variable length and blocks of bytes to `data`."""

    def __init__(self) -> None:
        self.data = b""

    def integers(self, *values: int) -> None:
        """Integers >= 0, seven bits a byte, the lowest bits first; the high bit says that another byte follows."""
        for value in values:
            rest = int(value)
            while rest > 0x7F:
                self.data += bytes([rest & 0x7F | 0x80])
                rest >>= 7
            self.data += bytes([rest])

    def signed(self, *values: int) -> None:
        """Integers of either sign: the magnitude doubled, plus 1 if negative."""
        self.integers(*(value << 1 if value >= 0 else -value << 1 | 1 for value in values))

    def block(self, data: bytes) -> None:
        """Bytes, after their number."""
        self.integers(len(data))
        self.data += data


class ByteReader:
    """Reads what `ByteWriter` wrote; raises ValueError or IndexError where the data ends too early."""

    def __init__(self, data: bytes):
        self._data, self._position = data, 0

    def integers(self, count: int) -> list[int]:
        """This many integers >= 0."""
        return [self._integer() for _ in range(count)]

    def signed(self, count: int) -> list[int]:
        """This many integers of either sign."""
        return [-(value >> 1) if value & 1 else value >> 1 for value in self.integers(count)]

    def block(self) -> bytes:
        """A block of bytes."""
        length = self._integer()
        if self._position + length > len(self._data):
            raise ValueError("the data ends too early")
        self._position += length
        return self._data[self._position - length : self._position]

    def _integer(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self._data[self._position]
            value |= (byte & 0x7F) << shift
            self._position, shift = self._position + 1, shift + 7
            if byte < 0x80:
                return value
