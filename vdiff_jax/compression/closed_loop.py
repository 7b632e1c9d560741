"""The decoder inside the encoder: computes what `decompress` will show for the samples."""

import functools
import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vdiff_jax.compression.attachment import STEPS_PER_OCTAVE, Attachment
from vdiff_jax.compression.decoder import Decoding, wiener_filter
from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.wiener_fit import (
    Moments,
    class_thresholds,
    concatenate,
    moments,
    with_predicted_change,
)
from vdiff_jax.pixels import Frame
from vdiff_jax.postprocess.wiener import wiener_step
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.chunks import cut_into_chunks
from vdiff_jax.weights import Weights


class ClosedLoop:
    """Restores samples as the decoder would.

    Args:
      network: the weights; None if they are not run.
      plan: the decoder's plan.
      samples: the samples.
      sigma: the expected error of Y', Cb and Cr, in sample values.
      more: further samples for the fit, on which the network is not run.

    Attributes:
      thresholds: between luma's classes, as in an attachment.
    """

    def __init__(
        self,
        network: Weights | None,
        plan: Decoding,
        samples: Sequence[Sample],
        sigma: Float[np.ndarray, "3"],
        more: Sequence[Sample] = (),
    ):
        self.network, self.plan, self.samples = network, plan, samples
        self.pixels = plan.conversion.written()[0]
        self._sigma, self.more = sigma, more
        self.thresholds = class_thresholds([*samples, *more], self.pixels, STEPS_PER_OCTAVE)

    def moments(self) -> Moments:
        """The moments (see `wiener_fit`) that a Wiener step is fitted to; without a network, its change is 0."""
        restored = [sample.decoded for sample in self.samples] if self.network is None else self._restored
        run = self._moments(self.samples, restored)
        if not self.more:
            return run
        rest = self._moments(self.more, [sample.decoded for sample in self.more])
        return concatenate([run, rest]) if self.network is None else with_predicted_change(run, rest)

    def _moments(self, samples: Sequence[Sample], restored: Sequence[list[Frame]]) -> Moments:
        """The moments of some samples, and of their frames as the network restored them."""
        limits = tuple(2.0 ** (n / STEPS_PER_OCTAVE) for n in self.thresholds)
        return concatenate([moments(*row, self.pixels, self._sigma, limits) for row in zip(samples, restored)])

    def shown(self, attachment: Attachment) -> list[list[Frame]]:
        """The samples' frames as the decoder will show them with this attachment."""
        if attachment.wiener is None:
            return [sample.decoded for sample in self.samples]
        restored = [sample.decoded for sample in self.samples]
        if attachment.network is not None:
            restored = self._restored
        by = wiener_filter(attachment.wiener, self.pixels)
        return [
            list(wiener_step(sample.decoded, made, self.pixels, by)) for sample, made in zip(self.samples, restored)
        ]

    @functools.cached_property
    def _restored(self) -> list[list[Frame]]:
        """The samples' frames as the network restores them."""
        assert self.network is not None
        restorer = Restorer(self.network, self.plan.conversion, self.plan.sigma_of)
        restored = []
        for sample in self.samples:
            prepared = analyse(sample.decoded, itertools.repeat(None), self.pixels, restorer.multiple, scale=1)
            # The compiled function is kept from sample to sample, the state is not.
            restorer = restorer.anew()
            restored.append(list(restorer.restore(cut_into_chunks(prepared, restorer.frames))))
        return restored
