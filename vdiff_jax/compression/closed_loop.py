"""The decoder inside the encoder: computes what `decompress` will show for the samples."""

import itertools
from collections.abc import Sequence

import numpy as np
from flax import nnx
from jaxtyping import Float

from vdiff_jax.compression.attachment import Attachment
from vdiff_jax.compression.decoder import Decoding, wiener_filter
from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.weight_update import apply
from vdiff_jax.compression.wiener_fit import Moments, concatenate, moments
from vdiff_jax.pixels import Frame
from vdiff_jax.postprocess.wiener import wiener_step
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.chunks import Chunk, cut_into_chunks
from vdiff_jax.weights import Weights


class ClosedLoop:
    """Restores samples as the decoder would; the network is compiled once, its parameters may change.

    Args:
      network: the weights.
      plan: the decoder's plan.
      samples: the samples.
      sigma: the expected error of Y', Cb and Cr, in sample values.
    """

    def __init__(self, network: Weights, plan: Decoding, samples: Sequence[Sample], sigma: Float[np.ndarray, "3"]):
        self.network, self.plan, self.samples = network, plan, samples
        self.pixels = plan.job.written()[0]
        self._sigma = sigma
        self._restorer: Restorer | None = None

    def decoded_moments(self) -> Moments:
        """The moments for a Wiener step without the network."""
        return self._moments([sample.decoded for sample in self.samples])

    def restored_moments(self, params: nnx.State | None = None) -> Moments:
        """The moments for a Wiener step after the network, which uses `params` instead of its own if given."""
        return self._moments([self._restored(sample, params) for sample in self.samples])

    def shown(self, attachment: Attachment) -> list[list[Frame]]:
        """The samples' frames as the decoder will show them with this attachment."""
        if attachment.wiener is None:
            return [sample.decoded for sample in self.samples]
        restored = [sample.decoded for sample in self.samples]
        if attachment.network is not None:
            params = apply(self.network.params, attachment.network.update)
            restored = [self._restored(sample, params) for sample in self.samples]
        by = wiener_filter(attachment.wiener, self.pixels)
        return [
            list(wiener_step(sample.decoded, made, self.pixels, by)) for sample, made in zip(self.samples, restored)
        ]

    def chunks(self, sample: Sample, length: int) -> list[Chunk]:
        """A sample's decoded frames as chunks of `length`, the input of the network."""
        prepared = analyse(sample.decoded, itertools.repeat(None), self.pixels, self._ready().multiple, scale=1)
        return list(cut_into_chunks(prepared, length))

    def _moments(self, restored: Sequence[Sequence[Frame]]) -> Moments:
        return concatenate([moments(*row, self.pixels, self._sigma) for row in zip(self.samples, restored)])

    def _restored(self, sample: Sample, params: nnx.State | None) -> list[Frame]:
        restorer = self._ready().anew(params)
        restored = list(restorer.restore(self.chunks(sample, restorer.frames)))
        self._restorer = restorer
        return restored

    def _ready(self) -> Restorer:
        if self._restorer is None:
            self._restorer = Restorer(self.network, self.plan.job, self.plan.sigma_of)
        return self._restorer
