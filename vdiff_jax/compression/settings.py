"""The settings of one call of `compress`, and the checks of its options."""

import dataclasses
from pathlib import Path

import numpy as np

from vdiff_jax import media
from vdiff_jax.compression.budget import ADAPT
from vdiff_jax.compression.codec import Codec, choose_codec
from vdiff_jax.errors import OptionError, OutputError
from vdiff_jax.weights import for_task, trained_tasks

CONTAINERS = {".mkv": "matroska", ".mp4": "mp4"}
"""FFmpeg's names of the formats that `compress` writes, by the ending of the file's name."""
DEFAULT_WEIGHTS = "base"
"""The weights used where none are given."""
RATE_TRIES, VMAF_TRIES, SIZE_TRIES = 6, 3, 2
"""The most tracks that are encoded to reach a bit rate or a VMAF, and those of another variant within some bytes."""
_INTERPOLATING = "fast"
"""The weights that interpolate frames if the given ones cannot; they are compiled sooner than `base`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The checked options of one call of `compress`.

    Attributes:
      codec: the track's codec.
      preset: the encoder's preset; None for the codec's default.
      crf: the encoder's quality; where a bitrate is given, the search starts from it.
      bitrate: bits per second of the track; None for constant quality.
      target_vmaf: the lowest mean VMAF that `decompress` may give; None for constant quality or a bitrate.
      adapt: one of `ADAPT`: how long the search for a better file may take.
      network: the network that may be used, a name or a file of weights.
      interpolation_weights: weights that can interpolate frames; None if there are none.
    """

    codec: Codec
    preset: str | None = None
    crf: float
    bitrate: float | None = None
    target_vmaf: float | None = None
    adapt: str
    network: str
    interpolation_weights: str | None = None

    @property
    def most_tracks(self) -> int:
        """How many tracks are encoded at most."""
        if self.target_vmaf is not None:
            return VMAF_TRIES
        first = 1 if self.bitrate is None else RATE_TRIES
        return first if self.adapt == "none" else first + 2 * SIZE_TRIES  # a smaller picture, and half of the frames

    def encoder_options(self, crf: float) -> dict[str, str]:
        """The encoder's options at a crf."""
        return self.codec.options(crf, self.preset)


def make_settings(
    *,
    codec: str,
    crf: float | int | None,
    bitrate: float | int | None,
    target_vmaf: float | int | None,
    preset: str | None,
    adapt: str,
    weights: str | Path | None,
) -> Settings:
    """The settings for the options of `compress`.

    Raises:
      OptionError: an option is out of range, or two options contradict each other.
      OutputError: the codec's encoder is missing.
      WeightsError: the weights are missing.
    """
    _check_quality(crf, bitrate, target_vmaf)
    if adapt not in ADAPT:
        raise OptionError(f"unknown adapt {adapt}: pass one of {', '.join(ADAPT)}")
    chosen = choose_codec(codec, preset, None if crf is None else float(crf))
    can_interpolate = (name for name in (weights, _INTERPOLATING) if name and "interpolate" in trained_tasks(name))
    return Settings(
        codec=chosen,
        preset=preset,
        crf=chosen.crf if crf is None else float(crf),
        bitrate=None if bitrate is None else float(bitrate),
        target_vmaf=None if target_vmaf is None else float(target_vmaf),
        adapt=adapt,
        network=for_task(str(weights or DEFAULT_WEIGHTS), "deblock"),
        interpolation_weights=next(map(str, can_interpolate), None),
    )


def check_files(source: np.ndarray | str | Path, target: str | Path) -> None:
    """Raises OutputError if `target` is not an .mkv or .mp4 file that may be written."""
    if Path(target).suffix.lower() not in CONTAINERS:
        raise OutputError(f"{target}: compress writes Matroska and MP4: end the name in .mkv or .mp4")
    media.check_file(target, [] if isinstance(source, np.ndarray) else [source], such_as="small.mp4")


def _check_quality(crf: float | int | None, bitrate: float | int | None, target_vmaf: float | int | None) -> None:
    if sum(option is not None for option in (crf, bitrate, target_vmaf)) > 1:
        raise OptionError("crf, bitrate and target_vmaf exclude each other: pass only one of them")
    if bitrate is not None and not bitrate > 0:
        raise OptionError(f"bitrate {bitrate:g} is out of range: pass bits per second above 0, such as 500k")
    if target_vmaf is not None and not 0 < target_vmaf < 100:
        raise OptionError(f"target VMAF {target_vmaf:g} is out of range: pass one above 0 and below 100, such as 93")
