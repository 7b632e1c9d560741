"""What the decoder is to do with a track, and what that gains."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vdiff_jax.compression.attachment import Named, Network, Recipe, Stamps
from vdiff_jax.compression.closed_loop import Rehearsal
from vdiff_jax.compression.decoder import plan_of, sigma_of
from vdiff_jax.compression.fit import STEPS, Fit, Worth, fit, measure
from vdiff_jax.compression.form import Form
from vdiff_jax.compression.samples import Piece
from vdiff_jax.compression.track import Track
from vdiff_jax.compression.track_encoder import Encoder
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.weights import Weights, identity

_SEED = 0


class Decision(NamedTuple):
    """What was decided.

    Attributes:
      recipe: as the decoder will do it.
      made: what was fitted for it.
      rehearsal: of the decoder, on the samples.
      form: of the track.
    """

    recipe: Recipe
    made: Fit
    rehearsal: Rehearsal
    form: Form

    @property
    def attachment(self) -> bytes | None:
        """The recipe's bytes; None where it says nothing."""
        return None if self.recipe.empty else self.recipe.pack()

    def plain(self) -> "Decision":
        """The track as it is instead."""
        recipe = dataclasses.replace(self.recipe, diffusion=None, network=None)
        return self._replace(recipe=recipe, made=Fit(None, None, np.zeros(3)))


def decide(encoder: Encoder, track: Track, network: Weights) -> Decision:
    """What is best for a track."""
    pieces, steps = encoder.excerpts.of(track), STEPS[encoder.wanted.adapt]
    return _decide(encoder, pieces, track.size, network, track.form, steps=steps, stamps=encoder.stamps(track))


def decide_roughly(encoder: Encoder, pieces: Sequence[Piece], size: int, network: Weights, form: Form) -> Decision:
    """What diffusion alone does for samples of a track of this form and so many bytes."""
    return _decide(encoder, pieces, size, network, form, steps=None)


def _decide(
    encoder: Encoder,
    pieces: Sequence[Piece],
    size: int,
    network: Weights,
    form: Form,
    *,
    steps: int | None,
    stamps: Stamps | None = None,
) -> Decision:
    """Without steps, the network is left out."""
    other = None if form.shape == encoder.shape else form.shape
    filling = encoder.wanted.filling if form.halved else None
    recipe = Recipe(size=encoder.shape, track=other, stamps=stamps, filling=None if filling is None else named(filling))
    wanted, stored = encoder.wanted, encoder.stored
    codec = wanted.codec.name if scale_of(wanted.codec.name) is not None else None
    told = measure(pieces, stored.pixels, codec)
    whole = Network(**dataclasses.asdict(named(wanted.weights)), error=told.relative)
    trial = dataclasses.replace(recipe, network=whole)
    plan = plan_of(trial, dataclasses.replace(stored, codec=wanted.codec.name))
    rehearsal = Rehearsal(network, plan, pieces, sigma_of(told.absolute, stored.pixels))
    worth = Worth(octave=3.0, size=size)
    made = fit(rehearsal, told, None if steps is None else whole, steps=steps or 0, seed=_SEED, worth=worth)
    recipe = dataclasses.replace(recipe, diffusion=made.diffusion, network=made.network)
    return Decision(recipe, made, rehearsal, form)


def named(weights: str) -> Named:
    """Weights as a recipe names them."""
    return Named(weights=Path(weights).stem, digest=identity(weights))
