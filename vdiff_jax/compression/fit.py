"""Fits the decoder to one video: the Wiener step, the network's expected error, and a few of its parameters."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vdiff_jax.compression.attachment import STEPS_PER_OCTAVE, Attachment, Network, WienerStep
from vdiff_jax.compression.closed_loop import ClosedLoop
from vdiff_jax.compression.finetune import fine_tune
from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.weight_update import changed, pack, rounded
from vdiff_jax.compression.wiener_fit import Moments
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.wiener import STEP, spans
from vdiff_jax.stream.compression_error import expected_error, typical

log = logging.getLogger(__name__)

_FINENESS = (1, 3)
"""An update is rounded to steps of 2^-1 and of 2^-3 units; the better of the two is taken."""
_CONTAINER = 100
"""Bytes, roughly, that Matroska adds to an attachment."""
_DB_PER_OCTAVE = 3.0
"""By how many dB luma's PSNR would rise if the track took twice the bytes."""
_LARGEST_COEFFICIENT = 4


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
        """Bytes that both parts take in an attachment."""
        return len(Attachment(size=(0, 0), wiener=self.wiener, network=self.network).pack())

    def net_gain(self, track_size: int) -> float:
        """Luma's gain in dB, less what the attachment's bytes would have gained as bytes of the track."""
        if self.wiener is None:
            return 0.0
        return float(self.gain[0] - _DB_PER_OCTAVE * np.log2(1 + (self.size + _CONTAINER) / track_size))


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


def fit(
    loop: ClosedLoop, error: CodingError, network: Network | None, *, track_size: int, steps: int, seed: int
) -> Fit:
    """The fit of highest net gain among four: nothing, the Wiener step, the network too, the fine-tuned network too.

    Args:
      loop: the decoder on the samples.
      error: the error that the codec left.
      network: the network's part of the attachment; None leaves the network out.
      track_size: bytes of the track.
      steps: of gradient descent; 0 for no fine-tuning.
      seed: of the crops that the gradient descent sees.
    """
    fits = [NOTHING, _fit_wiener(error, None, loop.decoded_moments())]
    if network is not None:
        fits.append(_fit_wiener(error, network, loop.restored_moments()))
        fits += _fine_tuned(loop, error, network, steps=steps, seed=seed) if steps else []
    for each in fits:
        log.debug("%d bytes gain %s dB, net %.3f", each.size, each.gain.round(3), each.net_gain(track_size))
    return max(fits, key=lambda each: each.net_gain(track_size))


def _fine_tuned(loop: ClosedLoop, error: CodingError, network: Network, *, steps: int, seed: int) -> list[Fit]:
    fits = []
    update = fine_tune(loop, steps=steps, seed=seed)
    for fineness in _FINENESS:
        rounding = rounded(update, fineness)
        if rounding.any():
            params = changed(loop.network.params, jnp.asarray(rounding * 2.0**-fineness, jnp.float32))
            packed = dataclasses.replace(network, update=pack(rounding, fineness))
            fits.append(_fit_wiener(error, packed, loop.restored_moments(params)))
    return fits


def _fit_wiener(error: CodingError, network: Network | None, measured: Moments) -> Fit:
    """The Wiener step with rounded coefficients of least error. The last one, the network's, is 0 without a network."""
    best = measured.best(slice(None) if network else slice(None, -1))
    coefficients = np.round(STEP * np.clip(best, -_LARGEST_COEFFICIENT, _LARGEST_COEFFICIENT))
    wiener = WienerStep(error=error.absolute, coefficients=tuple(int(c) for c in coefficients.ravel()))
    return Fit(wiener, network, measured.gain(coefficients / STEP))


def _in_eighths(octaves: Float[np.ndarray, "3"]) -> tuple[int, int, int]:
    y, cb, cr = (int(n) for n in np.clip(np.round(STEPS_PER_OCTAVE * octaves), -120, 120))
    return y, cb, cr
