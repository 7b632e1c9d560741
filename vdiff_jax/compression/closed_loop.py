"""What the decoder will make of the samples, computed by the encoder."""

import itertools
from collections.abc import Sequence

import numpy as np
from flax import nnx
from jaxtyping import Float

from vdiff_jax.compression.attachment import Recipe
from vdiff_jax.compression.decoder import Decoding, spread_of
from vdiff_jax.compression.samples import Moments, Piece, moments, together
from vdiff_jax.compression.weight_update import apply
from vdiff_jax.pixels import Frame
from vdiff_jax.postprocess.wiener import wiener_step
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.chunks import Chunk, cut_into_chunks
from vdiff_jax.weights import Weights


class Rehearsal:
    """Restores samples with any parameters; compiled once.

    Args:
      network: the weights.
      plan: what the decoder would do.
      pieces: the samples.
      sigma: the usual error of Y', Cb and Cr, in samples.
    """

    def __init__(self, network: Weights, plan: Decoding, pieces: Sequence[Piece], sigma: Float[np.ndarray, "3"]):
        self.network, self.plan, self.pieces = network, plan, pieces
        self.pixels = plan.job.written()[0]
        self._sigma = sigma
        self._restorer: Restorer | None = None

    def without(self) -> Moments:
        """What the operators make of the samples without the network."""
        return self._moments([piece.decoded for piece in self.pieces])

    def moments(self, params: nnx.State | None = None) -> Moments:
        """The same with it, its own parameters or others."""
        return self._moments([self._restored(piece, params) for piece in self.pieces])

    def shown(self, recipe: Recipe) -> list[list[Frame]]:
        """The samples as the decoder will show them."""
        if recipe.diffusion is None:
            return [piece.decoded for piece in self.pieces]
        restored = [piece.decoded for piece in self.pieces]
        if recipe.network is not None:
            params = apply(self.network.params, recipe.network.update)
            restored = [self._restored(piece, params) for piece in self.pieces]
        by = spread_of(recipe.diffusion, self.pixels)
        return [list(wiener_step(piece.decoded, made, self.pixels, by)) for piece, made in zip(self.pieces, restored)]

    def cut(self, piece: Piece, length: int) -> list[Chunk]:
        """A piece's decoded frames as chunks of `length`."""
        prepared = analyse(piece.decoded, itertools.repeat(None), self.pixels, self._ready().multiple, scale=1)
        return list(cut_into_chunks(prepared, length))

    def _moments(self, restored: Sequence[Sequence[Frame]]) -> Moments:
        return together([moments(*row, self.pixels, self._sigma) for row in zip(self.pieces, restored)])

    def _restored(self, piece: Piece, params: nnx.State | None) -> list[Frame]:
        restorer = self._ready().anew(params)
        restored = list(restorer.restore(self.cut(piece, restorer.frames)))
        self._restorer = restorer
        return restored

    def _ready(self) -> Restorer:
        if self._restorer is None:
            self._restorer = Restorer(self.network, self.plan.job, self.plan.sigma_of)
        return self._restorer
