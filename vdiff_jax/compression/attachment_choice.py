"""Chooses the attachment for a track: the decoder's steps, and the quality that they gain."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vdiff_jax.compression.attachment import Attachment, Network, Timestamps, WeightsId
from vdiff_jax.compression.closed_loop import ClosedLoop
from vdiff_jax.compression.decoder import in_sample_values, plan_of
from vdiff_jax.compression.fit import NOTHING, Fit, fit, measure_error
from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.settings import GRADIENT_STEPS
from vdiff_jax.compression.track import Track, Variant
from vdiff_jax.compression.track_encoder import TrackEncoder
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.weights import Weights, identity

_SEED = 0


class AttachmentChoice(NamedTuple):
    """The chosen attachment.

    Attributes:
      attachment: the attachment.
      fit: its fit to the samples.
      loop: the decoder on the samples.
      variant: what the track keeps of its source.
    """

    attachment: Attachment
    fit: Fit
    loop: ClosedLoop
    variant: Variant

    @property
    def packed(self) -> bytes | None:
        """The attachment as bytes; None if the file needs none."""
        return None if self.attachment.empty else self.attachment.pack()

    def without_restoration(self) -> "AttachmentChoice":
        """The same, but the decoder only enlarges and interpolates."""
        attachment = dataclasses.replace(self.attachment, wiener=None, network=None)
        return self._replace(attachment=attachment, fit=NOTHING)


def choose_attachment(encoder: TrackEncoder, track: Track, network: Weights) -> AttachmentChoice:
    """The best attachment for an encoded track."""
    samples, steps = encoder.sampler.of_track(track), GRADIENT_STEPS[encoder.settings.adapt]
    timestamps = encoder.timestamps(track)
    return _choose(encoder, samples, track.size, network, track.variant, steps=steps, timestamps=timestamps)


def choose_without_network(
    encoder: TrackEncoder, samples: Sequence[Sample], size: int, network: Weights, variant: Variant
) -> AttachmentChoice:
    """The best attachment without the network, which is fast enough to be computed for every variant.

    Args:
      encoder: the encoder.
      samples: samples of the track.
      size: the track's bytes.
      network: the weights; they are not run.
      variant: what the track keeps of its source.
    """
    return _choose(encoder, samples, size, network, variant, steps=None)


def _choose(
    encoder: TrackEncoder,
    samples: Sequence[Sample],
    size: int,
    network: Weights,
    variant: Variant,
    *,
    steps: int | None,
    timestamps: Timestamps | None = None,
) -> AttachmentChoice:
    """`steps` None leaves the network out."""
    settings, coded = encoder.settings, encoder.coded
    attachment = Attachment(
        size=encoder.shape,
        track=None if variant.shape == encoder.shape else variant.shape,
        timestamps=timestamps,
        interpolation=weights_id(settings.interpolation_weights) if variant.half_rate else None,
    )
    codec = settings.codec.name if scale_of(settings.codec.name) is not None else None
    error = measure_error(samples, coded.pixels, codec)
    part = Network(**dataclasses.asdict(weights_id(settings.weights)), error=error.relative)
    plan = plan_of(dataclasses.replace(attachment, network=part), dataclasses.replace(coded, codec=settings.codec.name))
    loop = ClosedLoop(network, plan, samples, in_sample_values(error.absolute, coded.pixels))
    best = fit(loop, error, None if steps is None else part, track_size=size, steps=steps or 0, seed=_SEED)
    attachment = dataclasses.replace(attachment, wiener=best.wiener, network=best.network)
    return AttachmentChoice(attachment, best, loop, variant)


def weights_id(weights: str) -> WeightsId:
    """How an attachment identifies weights."""
    return WeightsId(name=Path(weights).stem, digest=identity(weights))
