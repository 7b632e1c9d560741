"""What the decoder is to do with a track, and what that gains."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vdiff_jax.compress.adapt import STEPS, Fit, Worth, fit, measure
from vdiff_jax.compress.decoder import plan_of, sigma_of
from vdiff_jax.compress.recipe import Network, Recipe
from vdiff_jax.compress.rehearsal import Rehearsal
from vdiff_jax.compress.samples import Piece
from vdiff_jax.compress.tracks import Encoder, Track
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.preprocess.resizing import Shape
from vdiff_jax.weights import Weights, identity

_SEED = 0


class Decision(NamedTuple):
    """What was decided.

    Attributes:
      recipe: as the decoder will do it.
      made: what was fitted for it.
      rehearsal: of the decoder, on the samples.
    """

    recipe: Recipe
    made: Fit
    rehearsal: Rehearsal

    @property
    def attachment(self) -> bytes | None:
        """The recipe's bytes; None where it says nothing."""
        return None if self.recipe.empty else self.recipe.pack()

    def plain(self) -> "Decision":
        """The track as it is instead."""
        recipe = dataclasses.replace(self.recipe, diffusion=None, network=None)
        return Decision(recipe, Fit(None, None, np.zeros(3)), self.rehearsal)


def decide(encoder: Encoder, track: Track, network: Weights) -> Decision:
    """What is best for a track."""
    recipe = Recipe(size=encoder.shape, track=_other(encoder, track.shape), stamps=encoder.stamps(track))
    return _decide(encoder, encoder.pieces(track), track.size, network, recipe, steps=STEPS[encoder.wanted.adapt])


def decide_roughly(encoder: Encoder, pieces: Sequence[Piece], size: int, network: Weights, shape: Shape) -> Decision:
    """What diffusion alone does for samples of a track of this shape and so many bytes."""
    recipe = Recipe(size=encoder.shape, track=_other(encoder, shape))
    return _decide(encoder, pieces, size, network, recipe, steps=None)


def _other(encoder: Encoder, shape: Shape) -> Shape | None:
    return None if shape == encoder.shape else shape


def _decide(
    encoder: Encoder, pieces: Sequence[Piece], size: int, network: Weights, recipe: Recipe, *, steps: int | None
) -> Decision:
    """Without steps, the network is left out."""
    wanted, stored = encoder.wanted, encoder.stored
    codec = wanted.codec.name if scale_of(wanted.codec.name) is not None else None
    told = measure(pieces, stored.pixels, codec)
    named = Network(weights=Path(wanted.weights).stem, digest=identity(wanted.weights), error=told.relative)
    trial = dataclasses.replace(recipe, network=named)
    plan = plan_of(trial, dataclasses.replace(stored, codec=wanted.codec.name))
    rehearsal = Rehearsal(network, plan, pieces, sigma_of(told.absolute, stored.pixels))
    worth = Worth(octave=3.0, size=size)
    made = fit(rehearsal, told, None if steps is None else named, steps=steps or 0, seed=_SEED, worth=worth)
    recipe = dataclasses.replace(recipe, diffusion=made.diffusion, network=made.network)
    return Decision(recipe, made, rehearsal)
