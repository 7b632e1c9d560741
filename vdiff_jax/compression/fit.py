"""Fits the decoder to one video: the Wiener step's coefficients and the network's expected error."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax.compression.attachment import STEPS_PER_OCTAVE, Attachment, Network, WienerStep
from vdiff_jax.compression.closed_loop import ClosedLoop
from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.wiener_fit import ACTIVITIES, Moments
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.wiener import DIRECTIONS, STEP, spans
from vdiff_jax.postprocess.wiener_operators import OPERATORS
from vdiff_jax.stream.compression_error import expected_error, typical

_CONTAINER = 25
"""Bytes, roughly, that Matroska and MP4 add to an attachment, whose three bytes become four characters of text."""
_DB_PER_OCTAVE = 3.0
"""How many dB luma's PSNR is assumed to rise if the track's bytes double."""
_LARGEST_COEFFICIENT = 4
_CLASSES = ((1, 1), (4, 1), (1, DIRECTIONS), (2, DIRECTIONS), (4, DIRECTIONS))
"""The numbers of classes of luma samples that are tried: by activity, by direction."""


class Fit(NamedTuple):
    """The decoder's steps for one video, and their gain.

    Attributes:
      wiener, network: parts of the attachment; None for a step that is left out.
      gain: how many dB the PSNR of Y', Cb and Cr rises on the samples.
    """

    wiener: WienerStep | None
    network: Network | None
    gain: Float[np.ndarray, "3"]

    @property
    def size(self) -> int:
        """Bytes that both parts take in a file."""
        packed = Attachment(size=(0, 0), wiener=self.wiener, network=self.network).pack()
        return 4 * len(packed) // 3 + _CONTAINER

    def net_gain(self, track_size: int) -> float:
        """Luma's gain in dB, minus the gain that the attachment's bytes would bring in the track."""
        if self.wiener is None:
            return 0.0
        return float(self.gain[0] - _DB_PER_OCTAVE * np.log2(1 + self.size / track_size))


NOTHING = Fit(None, None, np.zeros(3))
"""The track is shown as it is."""


class CodingError(NamedTuple):
    """The error that the codec left in Y', Cb and Cr, in eighths of an octave.

    Attributes:
      absolute: relative to one 8-bit unit.
      relative: relative to the error that the quantisers predict; `absolute` if they can't be read.
    """

    absolute: tuple[int, int, int]
    relative: tuple[int, int, int]


def measure_error(samples: Sequence[Sample], pixels: PixelFormat, codec: str | None) -> CodingError:
    """The samples' error, as the mean of its logarithm over the frames.

    Args:
      samples: the samples.
      pixels: the format of their frames.
      codec: the codec, if its quantisers can be read; else None.
    """
    errors, predicted = [], []
    for source, decoded in ((s, d) for sample in samples for s, d in zip(sample.source, sample.decoded)):
        error = [np.sqrt(np.mean((a.astype(np.float32) - b) ** 2)) for a, b in zip(source.planes, decoded.planes)]
        errors.append(np.array(error + [0.0] * (3 - len(error))) / spans(pixels))
        if codec is not None:
            quantiser = typical(codec) if decoded.quantiser is None else decoded.quantiser
            predicted.append(expected_error(codec, np.array([quantiser], np.float32))[0])
    absolute = np.mean(np.log2(255 * np.maximum(errors, 1e-4)), axis=0)
    relative = absolute - (np.mean(np.log2(255 * np.array(predicted)), axis=0) if predicted else 0)
    return CodingError(_in_eighths(absolute), _in_eighths(relative))


def fits(loop: ClosedLoop, error: CodingError, network: Network | None) -> list[Fit]:
    """The Wiener step with rounded coefficients of least error, for several numbers of luma's classes.

    Args:
      loop: the decoder on the samples.
      error: the error that the codec left.
      network: the network's part of the attachment, if the loop runs it: then fits without the network come first.
    """
    measured, parts = loop.moments(), (None,) if network is None else (None, network)
    return [_fit(measured, loop.thresholds, *count, error, part) for part in parts for count in _CLASSES]


def _fit(
    measured: Moments,
    thresholds: tuple[int, ...],
    activities: int,
    directions: int,
    error: CodingError,
    network: Network | None,
) -> Fit:
    merged, step = measured.merged(activities, directions), ACTIVITIES // activities
    # The last coefficient is the network's.
    best = merged.best(slice(None) if network else slice(None, -1))
    coefficients = np.round(STEP * np.clip(best, -_LARGEST_COEFFICIENT, _LARGEST_COEFFICIENT))
    integers = tuple(int(c) for c in (*coefficients[:-2].ravel(), *coefficients[-2:, -OPERATORS:].ravel()))
    wiener = WienerStep(
        error=error.absolute, coefficients=integers, thresholds=thresholds[step - 1 :: step], directions=directions
    )
    return Fit(wiener, network, merged.gain(coefficients / STEP))


def _in_eighths(octaves: Float[np.ndarray, "3"]) -> tuple[int, int, int]:
    y, cb, cr = (int(n) for n in np.clip(np.round(STEPS_PER_OCTAVE * octaves), -120, 120))
    return y, cb, cr
