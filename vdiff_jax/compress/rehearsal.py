"""What the decoder will make of the samples, computed by the encoder."""

import dataclasses
import itertools
from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from vdiff_jax.compress.decoder import Decoding
from vdiff_jax.compress.job import Blend
from vdiff_jax.compress.samples import Moments, Piece, moments, together
from vdiff_jax.media.pixels import Frame
from vdiff_jax.preprocess.chunks import Chunk, chunks, prepare
from vdiff_jax.restorer import Restorer
from vdiff_jax.tasks.video import Given
from vdiff_jax.weights import Weights


class Rehearsal:
    """Restores samples with any parameters, all of the network's change taken; compiled once.

    Args:
      network: the weights.
      plan: what the decoder would do.
      pieces: the samples.
    """

    def __init__(self, network: Weights, plan: Decoding, pieces: Sequence[Piece]):
        self.plan = dataclasses.replace(plan, job=dataclasses.replace(plan.job, gains=(1.0, 1.0, 1.0)))
        self.pieces = pieces
        self.network = network
        self._first = Restorer(network, self.plan.job, self.plan.sigma_of)
        self.plain = [self._unchanged(piece) for piece in pieces]

    def moments(self, params: nnx.State | None = None) -> Moments:
        """What the network changes, with its own parameters or others."""
        return together(
            [moments(piece, plain, self._restored(piece, params)) for piece, plain in zip(self.pieces, self.plain)]
        )

    def cut(self, piece: Piece, length: int) -> list[Chunk]:
        """A piece's decoded frames as chunks of `length`."""
        prepared = prepare(
            piece.decoded,
            itertools.repeat(None),
            self.plan.job.written()[0],
            self._first.multiple,
            scale=self.plan.job.scale,
        )
        return list(chunks(prepared, length))

    def _restored(self, piece: Piece, params: nnx.State | None) -> list[Frame]:
        restorer = self._first.anew(params)
        restored = [frame for chunk in self.cut(piece, restorer.frames) for frame in restorer(chunk)]
        self._first = restorer
        return restored

    def _unchanged(self, piece: Piece) -> list[Frame]:
        if self.plan.job.scale == 1:
            return piece.decoded
        return [_plain(self.plan.job, frame) for frame in piece.decoded]


def _plain(job: Blend, frame: Frame) -> Frame:
    """A frame as it is shown where nothing of the change is taken."""
    planes = _plain_planes(job, tuple(plane[None] for plane in frame.planes))
    return dataclasses.replace(frame, planes=tuple(np.asarray(plane[0]) for plane in planes))


@partial(jax.jit, static_argnums=0)
def _plain_planes(job: Blend, planes):
    twice = tuple(jnp.concatenate([plane, plane]) for plane in planes)
    ones = jnp.ones(2)
    given = Given(planes=twice, valid=ones, mask=None, colours=None, velocity=None, time=ones, sigma=jnp.zeros((2, 3)))
    return job.planes(given, job.observe(given, 1).values[:1])
