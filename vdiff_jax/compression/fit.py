"""Fits the network to one video: the errors it is told, how much of its change is taken, a few of its parameters."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vdiff_jax.compression.attachment import OCTAVE, Diffusion, Network, Recipe
from vdiff_jax.compression.closed_loop import Rehearsal
from vdiff_jax.compression.finetune import descend
from vdiff_jax.compression.samples import Moments, Piece, spans
from vdiff_jax.compression.weight_update import changed, pack, rounded
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.wiener import STEP
from vdiff_jax.stream.compression_error import expected_error, typical

log = logging.getLogger(__name__)

STEPS = {"none": 0, "fast": 120, "best": 800}
"""Gradient steps."""
FINENESS = (1, 3)
"""How finely an update is rounded: each is tried."""
_ATTACHED = 100
"""Bytes that Matroska needs to hold an attachment, about."""


class Fit(NamedTuple):
    """What was fitted.

    Attributes:
      diffusion, network: for the recipe; None where there is nothing to do.
      gained: dB of PSNR, of Y', Cb and Cr, on the samples.
    """

    diffusion: Diffusion | None
    network: Network | None
    gained: Float[np.ndarray, "3"]

    @property
    def size(self) -> int:
        """Bytes of both in the attachment."""
        return len(Recipe(size=(0, 0), diffusion=self.diffusion, network=self.network).pack())


class Told(NamedTuple):
    """The error that the codec left in Y', Cb and Cr, in eighths of an octave.

    Attributes:
      absolute: over one 8-bit level.
      relative: over what the stream's quantisers let expect; the same as `absolute` where it tells none.
    """

    absolute: tuple[int, int, int]
    relative: tuple[int, int, int]


def measure(pieces: Sequence[Piece], pixels: PixelFormat, codec: str | None) -> Told:
    """The error of the samples; `codec` is that whose quantisers the stream tells, if any."""
    levels, expected = [], []
    for source, decoded in ((s, d) for piece in pieces for s, d in zip(piece.source, piece.decoded)):
        error = [np.sqrt(np.mean((a.astype(np.float32) - b) ** 2)) for a, b in zip(source.planes, decoded.planes)]
        levels.append(np.array(error + [0.0] * (3 - len(error))) / spans(pixels))
        if codec is not None:
            quantiser = typical(codec) if decoded.quantiser is None else decoded.quantiser
            expected.append(expected_error(codec, np.array([quantiser], np.float32))[0])
    absolute = np.mean(np.log2(255 * np.maximum(levels, 1e-4)), axis=0)
    relative = absolute - (np.mean(np.log2(255 * np.array(expected)), axis=0) if expected else 0)
    return Told(*(tuple(int(n) for n in np.clip(np.round(OCTAVE * part), -120, 120)) for part in (absolute, relative)))


def fit(rehearsal: Rehearsal, told: Told, named: Network | None, *, steps: int, seed: int, worth: "Worth") -> Fit:
    """The best of nothing, diffusion, diffusion with the network, and with its parameters fitted, as `worth` has it.

    Args:
      rehearsal: of the decoder.
      told: the error that the codec left.
      named: the weights, for the recipe; None leaves the network out.
      steps: of gradient descent.
      seed: of the crops.
      worth: what luma's dB and the attachment's bytes are worth.
    """
    offers = [Fit(None, None, np.zeros(3)), _fitted(told, None, rehearsal.without())]
    if named is not None:
        offers += _with_network(rehearsal, told, named, steps=steps, seed=seed)
    for offer in offers:
        log.debug("%d bytes gain %s dB, worth %.3f", offer.size, offer.gained.round(3), worth(offer))
    return max(offers, key=worth)


def _with_network(rehearsal: Rehearsal, told: Told, named: Network, *, steps: int, seed: int) -> list[Fit]:
    """As it is, and with its parameters fitted."""
    offers = [_fitted(told, named, rehearsal.moments())]
    update = descend(rehearsal, steps=steps, seed=seed) if steps else np.zeros(1)
    for fineness in FINENESS:
        rounding = rounded(update, fineness)
        if rounding.any():
            params = changed(rehearsal.network.params, jnp.asarray(rounding * 2.0**-fineness, jnp.float32))
            packed = dataclasses.replace(named, update=pack(rounding, fineness))
            offers.append(_fitted(told, packed, rehearsal.moments(params)))
    return offers


def _fitted(told: Told, network: Network | None, measured: Moments) -> Fit:
    """Diffusion with conductivities of least error, rounded; the network's, the last, is 0 without one."""
    best = measured.best(slice(None) if network else slice(None, -1))
    steps = np.round(STEP * np.clip(best, -4, 4))
    diffusion = Diffusion(error=told.absolute, steps=tuple(int(step) for step in steps.ravel()))
    return Fit(diffusion, network, measured.gained(steps / STEP))


class Worth(NamedTuple):
    """What dB and bytes are worth to a video.

    Attributes:
      octave: dB of luma's PSNR that twice the rate would bring.
      size: bytes of the track.
    """

    octave: float
    size: int

    def __call__(self, made: Fit) -> float:
        """Luma's dB that were gained, less those that the attachment's bytes would have brought in the track."""
        if made.diffusion is None:
            return 0.0
        return float(made.gained[0] - self.octave * np.log2(1 + (made.size + _ATTACHED) / self.size))
