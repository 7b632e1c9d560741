"""Chooses the attachment for a track: the decoder's steps, and the quality that they gain."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vdiff_jax import media
from vdiff_jax.compression.attachment import Attachment, Network, Timestamps, WeightsId
from vdiff_jax.compression.budget import Budget
from vdiff_jax.compression.closed_loop import ClosedLoop
from vdiff_jax.compression.decoder import in_sample_values, plan_of
from vdiff_jax.compression.fit import NOTHING, CodingError, Fit, fits, measure_error
from vdiff_jax.compression.samples import Sample, fewer
from vdiff_jax.compression.track import Track, Variant
from vdiff_jax.compression.track_encoder import TrackEncoder
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.weights import identity, load

_COMPILING, _RESTORING = 5.0, 1.0
"""Seconds, roughly, for compiling a network, and for restoring a million pixels and fitting the Wiener step to them."""
_TRIED = 3_000_000
"""A network is tried on about this many pixels where time is short."""


class AttachmentChoice(NamedTuple):
    """The chosen attachment.

    Attributes:
      attachment: the attachment.
      fit: its fit to the samples.
      error: the samples' coding error.
      loop: computes the decoder's result for the samples.
      variant: what the track keeps of its source.
      track_size: the track's bytes.
    """

    attachment: Attachment
    fit: Fit
    error: CodingError
    loop: ClosedLoop
    variant: Variant
    track_size: int

    @property
    def packed(self) -> bytes | None:
        """The attachment as bytes; None if the file needs none."""
        return None if self.attachment.empty else self.attachment.pack()

    def without_restoration(self) -> "AttachmentChoice":
        """The same, but the decoder only enlarges and interpolates."""
        attachment = dataclasses.replace(self.attachment, wiener=None, network=None)
        return self._replace(attachment=attachment, fit=NOTHING)

    def with_network(self, encoder: TrackEncoder, weights: str, samples: Sequence[Sample]) -> "AttachmentChoice":
        """The same with a network, if that gains more than it costs.

        Args:
          encoder: the encoder.
          weights: the network's weights, a name or a file.
          samples: the samples to try it on: all of them, or those that `fewer` returns.
        """
        part = Network(**dataclasses.asdict(weights_id(weights)), error=self.error.relative)
        plain = self
        if len(samples) < len(self.loop.samples) or samples[0] is not self.loop.samples[0]:
            plain = self._replace(fit=NOTHING)._if_better(_loop(encoder, samples, self.error, self.attachment), None)
        tried = plain._if_better(_loop(encoder, samples, self.error, self.attachment, part, weights), part)
        return tried if tried.attachment.network == part else self

    def _if_better(self, loop: ClosedLoop, part: Network | None) -> "AttachmentChoice":
        """The choice with the best fit of a loop; unchanged if that fit's net gain is no larger than its own."""
        other = max(fits(loop, self.error, part), key=lambda each: each.net_gain(self.track_size))
        if other.net_gain(self.track_size) <= self.fit.net_gain(self.track_size):
            return self
        attachment = dataclasses.replace(self.attachment, wiener=other.wiener, network=other.network)
        return self._replace(attachment=attachment, fit=other, loop=loop)


def add_network(encoder: TrackEncoder, choice: AttachmentChoice, budget: Budget) -> AttachmentChoice:
    """The choice with the network that gains most, among those that there is time to try."""
    samples = choice.loop.samples if budget.unlimited else fewer(choice.loop.samples, _TRIED)
    megapixels = sum(len(sample.decoded) for sample in samples) * encoder.shape[0] * encoder.shape[1] / 1e6
    for weights in encoder.settings.networks:
        if budget.allows(_COMPILING + _RESTORING * megapixels, f"the network {Path(weights).stem}"):
            choice = choice.with_network(encoder, weights, samples)
    return choice


def choose_attachment(encoder: TrackEncoder, track: Track) -> AttachmentChoice:
    """The best attachment without a network for an encoded track."""
    samples, timestamps = encoder.sampler.of_track(track), encoder.timestamps(track)
    choice = choose_for_samples(encoder, samples, track.size, track.variant, timestamps=timestamps)
    marks = tuple(media.key_frame_marks(track.path))
    return choice._replace(attachment=dataclasses.replace(choice.attachment, key_frames=marks))


def choose_for_samples(
    encoder: TrackEncoder,
    samples: Sequence[Sample],
    size: int,
    variant: Variant,
    *,
    timestamps: Timestamps | None = None,
) -> AttachmentChoice:
    """The best attachment without a network.

    Args:
      encoder: the encoder.
      samples: samples of the track.
      size: the track's bytes.
      variant: what the track keeps of its source.
      timestamps: those that the attachment has to hold.
    """
    attachment = Attachment(
        size=encoder.shape,
        track=None if variant.shape == encoder.shape else variant.shape,
        timestamps=timestamps,
        interpolation=weights_id(encoder.settings.interpolation_weights) if variant.half_rate else None,
    )
    name = encoder.settings.codec.name
    error = measure_error(samples, encoder.coded.pixels, name if scale_of(name) is not None else None)
    loop = _loop(encoder, samples, error, attachment)
    plain = AttachmentChoice(attachment, NOTHING, error, loop, variant, size)
    return plain._if_better(loop, None)


def _loop(
    encoder: TrackEncoder,
    samples: Sequence[Sample],
    error: CodingError,
    attachment: Attachment,
    part: Network | None = None,
    weights: str | None = None,
) -> ClosedLoop:
    """The decoder on samples, with a network if `weights` are given."""
    info = dataclasses.replace(encoder.coded, codec=encoder.settings.codec.name)
    plan = plan_of(dataclasses.replace(attachment, network=part), info)
    network = None if weights is None else load(weights)
    return ClosedLoop(network, plan, samples, in_sample_values(error.absolute, encoder.coded.pixels))


def weights_id(weights: str) -> WeightsId:
    """How an attachment identifies weights."""
    return WeightsId(name=Path(weights).stem, digest=identity(weights))
