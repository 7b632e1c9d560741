"""The attachment: what `decompress` needs to know besides the track, in as few bytes as possible.

README.md beside this file describes the bytes.
"""

import dataclasses
import zlib
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from typing import Any

import numpy as np
from jaxtyping import Int

from vdiff_jax.compression import range_coder
from vdiff_jax.compression.byte_stream import ByteReader, ByteWriter
from vdiff_jax.errors import AttachmentError
from vdiff_jax.postprocess.wiener import DIRECTIONS
from vdiff_jax.postprocess.wiener_operators import LUMA_OPERATORS, OPERATORS

VERSION = 3
STEPS_PER_OCTAVE = 8
"""Errors are stored as logarithms to base 2, in eighths."""
_CHECKSUM = 4
"""Bytes of the checksum."""
_MOST_FRAMES = 10_000_000
_MOST_THRESHOLDS = 63
_LARGEST_SCALE = 4
"""The source's height and width are at most this many times the track's."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Timestamps:
    """Exact time stamps of the source's frames. Matroska rounds those of the track to milliseconds.

    Attributes:
      time_base: seconds per unit.
      first: the first frame's time stamp.
      steps: from each frame to the next; the last one is the last frame's duration.
      lead: milliseconds by which the track starts later than the source; 0 in files that are written now.
    """

    time_base: Fraction
    first: int
    steps: tuple[int, ...]
    lead: int = 0

    @property
    def times(self) -> list[int]:
        """Each frame's time stamp."""
        return list(accumulate(self.steps[:-1], initial=self.first))


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightsId:
    """Which weights the decoder has to use.

    Attributes:
      name: their name, for messages.
      digest: the first bytes of their file's SHA-256.
    """

    name: str
    digest: bytes


@dataclasses.dataclass(frozen=True, kw_only=True)
class Network(WeightsId):
    """How the network restores the track.

    Attributes:
      error: of Y', Cb and Cr, in eighths of an octave: relative to the error that each frame's quantiser predicts, or,
        for a codec whose quantisers can't be read, to one 8-bit unit.
    """

    error: tuple[int, int, int] = (0, 0, 0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class WienerStep:
    """How the Wiener step filters the track.

    Attributes:
      error: of Y', Cb and Cr, in eighths of an octave relative to one 8-bit unit.
      coefficients: of each operator, in 256ths; first those of each class of Y', then of Cb and of Cr.
      thresholds: of the activity between two classes of Y', in eighths of an octave relative to one 8-bit unit; None in
        files of version 1, in which the operators act on the network's results and Y' has one class.
      directions: the classes by direction of Y', 1 or 5; None in files of versions 1 and 2, in which Y' has as many
        operators as Cb and Cr.
    """

    error: tuple[int, int, int]
    coefficients: tuple[int, ...]
    thresholds: tuple[int, ...] | None = ()
    directions: int | None = None

    @property
    def rows(self) -> Int[np.ndarray, "planes k"]:
        """The coefficients of each class of Y', of Cb and of Cr, in 256ths; 0 for the operators that Y' alone has."""
        if self.directions is None:
            return np.reshape(self.coefficients, (-1, OPERATORS))
        chroma = np.reshape(self.coefficients[-2 * OPERATORS :], (2, OPERATORS))
        luma = np.reshape(self.coefficients[: -2 * OPERATORS], (-1, LUMA_OPERATORS))
        return np.concatenate([luma, np.pad(chroma, ((0, 0), (LUMA_OPERATORS - OPERATORS, 0)))])


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attachment:
    """How the decoder gets from the track to the source's frames.

    Attributes:
      size: the source's height and width.
      track: the track's height and width; None where they are the source's.
      timestamps: None where the track's own are exact.
      wiener: the Wiener step; None where the track is shown as it is.
      network: the network; None where the Wiener step works without it.
      key_frames: marks of the track's key frames (see `media.key_frame_marks`), which show whether it is still the same
        track; none in files of version 1.
      interpolation: the weights that interpolate every second frame; None where the track has all frames. With it,
        `timestamps` is never None, because it gives the number of frames.
    """

    size: tuple[int, int]
    track: tuple[int, int] | None = None
    timestamps: Timestamps | None = None
    wiener: WienerStep | None = None
    network: Network | None = None
    interpolation: WeightsId | None = None
    key_frames: tuple[int, ...] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """The track's height and width."""
        return self.track or self.size

    @property
    def empty(self) -> bool:
        """Whether the decoder has nothing to do, so that the file needs no attachment."""
        return self.track is None and self.timestamps is None and self.wiener is None and self.interpolation is None

    @property
    def tasks(self) -> tuple[str, ...]:
        """The decoder's steps in order, as reports name them."""
        parts = {
            "enlarge": self.track,
            "deblock": self.network,
            "wiener": self.wiener,
            "interpolate": self.interpolation,
        }
        return tuple(task for task, part in parts.items() if part is not None)

    def pack(self) -> bytes:
        """The attachment as bytes."""
        out = ByteWriter()
        parts = (self.timestamps, self.wiener, self.network, self.track, self.interpolation, self.key_frames)
        out.integers(sum(1 << bit for bit, part in enumerate(parts) if part is not None), *self.size)
        if self.timestamps is not None:
            _write_timestamps(out, self.timestamps)
        if self.wiener is not None:
            assert self.wiener.thresholds is not None
            assert self.wiener.directions is not None
            out.signed(*self.wiener.error)
            out.integers(len(self.wiener.thresholds), self.wiener.directions)
            out.signed(*self.wiener.thresholds)
            out.block(range_coder.encode(_differences(self.wiener)))
        if self.network is not None:
            _write_weights_id(out, self.network)
            out.signed(*self.network.error)
            out.block(b"")  # in version 1 it changed some of the parameters
        if self.track is not None:
            out.integers(*self.track)
        if self.interpolation is not None:
            _write_weights_id(out, self.interpolation)
        if self.key_frames is not None:
            out.block(b"".join(mark.to_bytes(2, "big") for mark in self.key_frames))
        version = bytes([VERSION])
        return version + _checksum(version + out.data) + out.data


def unpack(data: bytes, *, most_frames: int = _MOST_FRAMES) -> Attachment:
    """The inverse of `Attachment.pack`. Damaged bytes may claim any number of frames; `most_frames` limits it.

    Raises:
      AttachmentError: the bytes are damaged, or of a newer version.
    """
    version, checksum, body = data[:1], data[1 : 1 + _CHECKSUM], data[1 + _CHECKSUM :]
    if len(checksum) < _CHECKSUM or checksum != _checksum(version + body):
        raise AttachmentError("the attachment is damaged: its checksum does not match its content")
    if version[0] > VERSION:
        raise AttachmentError(f"the attachment has version {version[0]}, newer than {VERSION}: update vdiff_jax")
    try:
        return _read(ByteReader(body), version[0], most_frames)
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise AttachmentError(f"the attachment is invalid: {error}") from error


def _checksum(data: bytes) -> bytes:
    return zlib.crc32(data).to_bytes(_CHECKSUM, "big")


def _read(data: ByteReader, version: int, most_frames: int) -> Attachment:
    parts, height, width = data.integers(3)
    # Interpolation (16) needs time stamps (1).
    if parts > 63 or parts & 17 == 16:
        raise ValueError(f"the combination of parts {parts} does not exist")
    timestamps = _read_timestamps(data, most_frames) if parts & 1 else None
    wiener = network = None
    if parts & 2:
        wiener = _read_wiener_step(data, version)
    if parts & 4:
        network = Network(**_read_weights_id(data), error=tuple(data.signed(3)))
        if data.block():
            raise ValueError("it changes the network's parameters, which only earlier releases could do")
    track = tuple(data.integers(2)) if parts & 8 else None
    if track and not all(0 < ours <= side <= _LARGEST_SCALE * ours for ours, side in zip(track, (height, width))):
        raise ValueError(f"a track of {track} can't belong to a video of {(height, width)}")
    return Attachment(
        size=(height, width),
        track=track,
        timestamps=timestamps,
        wiener=wiener,
        network=network,
        interpolation=WeightsId(**_read_weights_id(data)) if parts & 16 else None,
        key_frames=_read_key_frames(data) if parts & 32 else None,
    )


def _write_weights_id(out: ByteWriter, weights: WeightsId) -> None:
    out.block(weights.name.encode())
    out.block(weights.digest)


def _read_weights_id(data: ByteReader) -> dict[str, Any]:
    return {"name": data.block().decode(), "digest": data.block()}


def _differences(wiener: WienerStep) -> list[int]:
    """The coefficients as differences.

    Those of Y' are taken to the same direction in the activity class before; in the first activity class, to the
    direction before. Those of Cr are taken to Cb.
    """
    luma, chroma = _luma_and_chroma(wiener.coefficients, wiener.directions or 1)
    luma = np.diff(luma, axis=0, prepend=0)
    luma[0] = np.diff(luma[0], axis=0, prepend=0)
    return [*luma.ravel().tolist(), *np.diff(chroma, axis=0, prepend=0).ravel().tolist()]


def _read_wiener_step(data: ByteReader, version: int) -> WienerStep:
    error = tuple(data.signed(3))
    if version == 1:
        coefficients = tuple(range_coder.decode(data.block(), 3 * OPERATORS))
        return WienerStep(error=error, coefficients=coefficients, thresholds=None)
    count, *more = data.integers(1 if version == 2 else 2)
    if count > _MOST_THRESHOLDS:
        raise ValueError(f"{count} thresholds are too many")
    thresholds = tuple(data.signed(count))
    if version == 2:
        rows = range_coder.decode(data.block(), (count + 3) * OPERATORS)
        coefficients = np.cumsum(np.reshape(rows, (-1, OPERATORS)), axis=0).ravel().tolist()
        return WienerStep(error=error, coefficients=tuple(coefficients), thresholds=thresholds)
    if (directions := more[0]) not in (1, DIRECTIONS):
        raise ValueError(f"{directions} directions do not exist")
    numbers = range_coder.decode(data.block(), (count + 1) * directions * LUMA_OPERATORS + 2 * OPERATORS)
    luma, chroma = _luma_and_chroma(numbers, directions)
    luma[0] = np.cumsum(luma[0], axis=0)
    coefficients = [*np.cumsum(luma, axis=0).ravel().tolist(), *np.cumsum(chroma, axis=0).ravel().tolist()]
    return WienerStep(error=error, coefficients=tuple(coefficients), thresholds=thresholds, directions=directions)


def _luma_and_chroma(
    numbers: Sequence[int], directions: int
) -> tuple[Int[np.ndarray, "activities directions k"], Int[np.ndarray, "2 k2"]]:
    """The coefficients of Y' by activity and direction, and those of Cb and Cr, as new arrays."""
    flat = np.array(numbers)
    luma = flat[: -2 * OPERATORS].reshape(-1, directions, LUMA_OPERATORS)
    return luma.copy(), flat[-2 * OPERATORS :].reshape(2, OPERATORS).copy()


def _read_key_frames(data: ByteReader) -> tuple[int, ...]:
    marks = data.block()
    return tuple(int.from_bytes(marks[at : at + 2], "big") for at in range(0, len(marks), 2))


def _write_timestamps(out: ByteWriter, timestamps: Timestamps) -> None:
    steps = timestamps.steps
    common = max(set(steps), key=steps.count)
    out.integers(*timestamps.time_base.as_integer_ratio(), timestamps.lead, len(steps))
    out.signed(timestamps.first, common)
    out.block(range_coder.encode([step - common for step in steps]))


def _read_timestamps(data: ByteReader, most_frames: int) -> Timestamps:
    numerator, denominator, lead, count = data.integers(4)
    first, common = data.signed(2)
    if count > min(most_frames, _MOST_FRAMES):
        raise ValueError(f"{count} frames are too many")
    steps = tuple(common + step for step in range_coder.decode(data.block(), count))
    return Timestamps(time_base=Fraction(numerator, denominator), first=first, steps=steps, lead=lead)
