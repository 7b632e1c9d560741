"""A track, and what was asked of it."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from vdiff_jax.compression.codec import Codec
from vdiff_jax.compression.form import Form


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for.

    Attributes:
      codec: of the track.
      preset: of its encoder.
      crf: quality; the codec's usual one where there is no bitrate.
      bitrate: bits a second of track and attachment; None for a constant quality.
      vmaf: of what `decompress` is to give, at least; None for a constant quality or a bitrate.
      adapt: one of `STEPS`.
      weights: a name or a file.
      filling: those that interpolate; None where there are none.
    """

    codec: Codec
    preset: str | None
    crf: float
    bitrate: float | None
    vmaf: float | None
    adapt: str
    weights: str
    filling: str | None = None

    def options(self, crf: float) -> dict[str, str]:
        return self.codec.options(crf, self.preset)


class Track(NamedTuple):
    """An encoded track.

    Attributes:
      path: its file.
      crf: its quality.
      form: what it keeps of its source.
      size: bytes.
      times: pts and duration of each of the source's frames.
      seconds: its length.
    """

    path: Path
    crf: float
    form: Form
    size: int
    times: list[tuple[int, int | None]]
    seconds: float

    @property
    def rate(self) -> float:
        """Bits a second."""
        return 8 * self.size / self.seconds
