"""Changes of coded video that FFmpeg's own program can't make: captions, dynamic HDR metadata, packed B-frames."""

import io
import re
import struct
from collections.abc import Iterator

import av

_CAPTION = bytes([0, 0, 1, 6, 4, 14, 0xB5, 0, 0x31, *b"GA94", 3, 0x41, 0xFF, 0xFC, 0x94, 0x2C, 0xFF, 0x80])
"""A message of H.264 with one pair of caption bytes (ATSC A/53)."""
_MPEG2_CAPTION = bytes([0, 0, 1, 0xB2, *b"GA94", 3, 0x41, 0xFF, 0xFC, 0x94, 0x2C, 0xFF])
_PACKED = b"\x00\x00\x01\xb2DivX503b1393p"
"""User data of MPEG-4 that says that B-frames are packed together with the frame after them."""
_NOT_CODED = bytes.fromhex("000001b65060")


def captioned(data: bytes) -> bytes:
    """A raw H.264 stream with captions before each picture."""
    return re.sub(rb"\x00\x00\x01(?=[\x65\x41\x61\x01\x25\x21])", lambda found: _CAPTION + found[0], data)


def captioned_mpeg2(data: bytes) -> bytes:
    """A raw MPEG-2 stream with captions in each picture."""
    return re.sub(rb"(\x00\x00\x01\xb5[\x80-\x8f].{4})", lambda found: found[0] + _MPEG2_CAPTION, data, flags=re.S)


def telecined(data: bytes) -> bytes:
    """A raw MPEG-2 stream whose pictures last two and three fields in turn, as on a DVD of a film."""
    count = 0

    def repeated(found: re.Match[bytes]) -> bytes:
        nonlocal count
        body, count = bytearray(found[0]), count + 1
        body[7] = body[7] & 0x7D | ((0x80, 0x82, 0x00, 0x02)[count % 4])  # top field first, repeat first field
        return bytes(body)

    data = re.sub(rb"(\x00\x00\x01\xb5[\x10-\x1f])(.)", _not_progressive, data, flags=re.S)
    return re.sub(rb"\x00\x00\x01\xb5[\x80-\x8f].{4}", repeated, data, flags=re.S)


def _not_progressive(found: re.Match[bytes]) -> bytes:
    return found[1] + bytes([found[2][0] & 0xF7])


class Bits:
    """Bits written one after another."""

    def __init__(self) -> None:
        self._text = ""

    def put(self, count: int, *values: int) -> "Bits":
        """Appends each value in `count` bits."""
        self._text += "".join(f"{value:0{count}b}" for value in values)
        return self

    def golomb(self, *values: int) -> "Bits":
        """Appends each value as an unsigned Exp-Golomb code."""
        for value in values:
            code = f"{value + 1:b}"
            self._text += "0" * (len(code) - 1) + code
        return self

    def bytes(self) -> bytes:
        """All bits, and zeros up to a whole byte."""
        text = self._text + "0" * (-len(self._text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")


def hdr10_plus(data: bytes) -> bytes:
    """A raw HEVC stream with HDR10+ metadata (SMPTE ST 2094-40) before each picture."""
    bits = Bits().put(8, 0xB5).put(16, 0x3C, 1).put(8, 4, 1).put(2, 1).put(27, 400).put(1, 0)
    bits.put(17, 5000, 5000, 5000, 3000).put(4, 1).put(7, 50).put(17, 2500).put(10, 5).put(1, 0, 0, 0)
    payload = bits.bytes()
    return _before_pictures(data, b"\x4e\x01" + _escaped(bytes([4, len(payload)]) + payload + b"\x80"))


def dolby_vision(data: bytes) -> bytes:
    """A raw HEVC stream with Dolby Vision metadata (profile 8) after each picture."""
    bits = Bits().put(6, 2).put(11, 18).put(4, 1, 0).put(1, 1).put(1, 0).put(2, 0).golomb(23).put(2, 1).put(1, 0)
    bits.golomb(2, 2, 4).put(1, 0).put(3, 0).put(1, 0, 1).put(1, 1, 0).golomb(0, 0, 0)
    for _ in range(3):
        bits.golomb(0).put(10, 0, 1023)
    bits.golomb(0, 0)
    for _ in range(3):
        bits.golomb(0, 0).put(1, 0).golomb(0).put(23, 0).golomb(1).put(23, 0)
    bits.golomb(0, 0, 1).put(16, *9 * [8192]).put(32, *3 * [0]).put(16, *9 * [8192])
    bits.put(16, 65535, 0, 0).put(32, 0).put(5, 12).put(2, 0, 0, 1).put(12, 62, 3079).put(10, 42).golomb(0)
    body = bits.bytes()
    rpu = b"\x19" + body + _crc(body).to_bytes(4, "big") + b"\x80"
    return _before_pictures(data, b"\x7c\x01" + _escaped(rpu))


def _crc(body: bytes) -> int:
    """MPEG's CRC-32."""
    crc = 0xFFFFFFFF
    for byte in body:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def _escaped(payload: bytes) -> bytes:
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", payload)


def _before_pictures(data: bytes, unit: bytes) -> bytes:
    """A raw HEVC stream with a unit before each picture's first slice."""
    parts = re.split(rb"(\x00\x00\x01)", data)
    out = [parts[0]]
    for mark, body in zip(parts[1::2], parts[2::2], strict=True):
        if body and body[0] >> 1 < 32 and body[2] & 0x80:
            out += [mark, unit]
        out += [mark, body]
    return b"".join(out)


def picture_subtitles() -> bytes:
    """A .sup file with two white bars of 32×8 pixels in a video of 64×48 (PGS, as on a Blu-ray)."""
    result, window = b"", struct.pack(">BBHHHH", 1, 0, 16, 32, 32, 8)
    rows = b"\x00\xa0\x01\x00\x00" * 8  # 32 pixels of colour 1, and the end of the line
    picture = struct.pack(">HBB3sHH", 0, 0, 0xC0, (len(rows) + 4).to_bytes(3, "big"), 32, 8) + rows
    for number, (begin, end) in enumerate(((0.2, 0.6), (0.8, 1.2))):
        shows = struct.pack(">HHBHBBBBHBBHH", 64, 48, 16, 2 * number, 0x80, 0, 0, 1, 0, 0, 0, 16, 32)
        clears = struct.pack(">HHBHBBBB", 64, 48, 16, 2 * number + 1, 0, 0, 0, 0)
        parts = [(begin, 0x16, shows), (begin, 0x17, window), (begin, 0x14, bytes([0, 0, 1, 235, 128, 128, 255]))]
        parts += [(begin, 0x15, picture), (begin, 0x80, b"")]
        parts += [(end, 0x16, clears), (end, 0x17, window), (end, 0x80, b"")]
        for seconds, kind, payload in parts:
            result += b"PG" + struct.pack(">IIBH", round(seconds * 90000), 0, kind, len(payload)) + payload
    return result


def packed_b_frames(data: bytes) -> bytes:
    """An AVI of MPEG-4 with one B-frame at a time, as old encoders wrote it: each is in the chunk of another frame."""
    file = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(file, "w", format="avi") as output:
        streams = {stream.index: output.add_stream_from_template(stream) for stream in source.streams}
        video = source.streams.video[0].index
        packets = list(source.demux())
        chunks = _chunks([bytes(packet) for packet in packets if packet.stream.index == video and packet.size])
        for packet in packets:
            if not packet.size:
                continue
            if packet.stream.index == video:
                chunk = av.Packet(next(chunks))
                chunk.pts = chunk.dts = packet.dts
                chunk.time_base, chunk.is_keyframe, chunk.duration = packet.time_base, packet.is_keyframe, 1
                packet = chunk
                packet.stream = streams[video]
            else:
                packet.stream = streams[packet.stream.index]
            output.mux(packet)
    return file.getvalue()


def _chunks(frames: list[bytes]) -> Iterator[bytes]:
    """The frames with each B-frame in the chunk of the frame before it, and an empty frame in its own place."""
    kinds = [frame[frame.index(b"\x00\x00\x01\xb6") + 4] >> 6 for frame in frames]
    for number, (frame, kind) in enumerate(zip(frames, kinds, strict=True)):
        frame = re.sub(rb"\x00\x00\x01\xb2[^\x00]*", _PACKED, frame, count=1)
        if kind == 2:
            yield _NOT_CODED
        elif number + 1 < len(frames) and kinds[number + 1] == 2:
            yield frame + frames[number + 1]
        else:
            yield frame
