"""Chooses the attachment for a track: the decoder's steps, and the quality that they gain."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vdiff_jax import media
from vdiff_jax.compression.attachment import Attachment, Network, Timestamps, WeightsId
from vdiff_jax.compression.budget import Budget
from vdiff_jax.compression.closed_loop import ClosedLoop
from vdiff_jax.compression.decoder import in_sample_values, plan_of
from vdiff_jax.compression.fit import NOTHING, CodingError, Fit, fits, measure_error
from vdiff_jax.compression.samples import Sample, split
from vdiff_jax.compression.track import Track, Variant
from vdiff_jax.compression.track_encoder import TrackEncoder
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.weights import identity, load

_COMPILING, _RESTORING, _FITTING = 4.5, 7e-7, 3e-7
"""Seconds, roughly, for compiling a network, for restoring a pixel, and for fitting the Wiener step to it."""
LEAST_PIXELS = 3_000_000
"""The network is run on at least about this many pixels, or not at all."""


class AttachmentChoice(NamedTuple):
    """The chosen attachment.

    Attributes:
      attachment: the attachment.
      fit: its fit to the samples.
      loop: computes the decoder's result for the samples.
      variant: what the track keeps of its source.
      track_size: the track's bytes.
    """

    attachment: Attachment
    fit: Fit
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


def choose_attachment(encoder: TrackEncoder, track: Track, budget: Budget | None = None) -> AttachmentChoice:
    """The best attachment for an encoded track.

    Args:
      encoder: the encoder.
      track: the track.
      budget: says on how many samples there is time to run the network; None leaves the network out.
    """
    samples, timestamps = encoder.sampler.of_track(track), encoder.timestamps(track)
    run, rest = ([], samples) if budget is None else _for_network(samples, budget, encoder.settings.network)
    choice = choose_for_samples(
        encoder,
        run or rest,
        track.size,
        track.variant,
        timestamps=timestamps,
        network=encoder.settings.network if run else None,
        more=rest if run else (),
    )
    marks = tuple(media.key_frame_marks(track.path))
    return choice._replace(attachment=dataclasses.replace(choice.attachment, key_frames=marks))


def _for_network(samples: Sequence[Sample], budget: Budget, network: str) -> tuple[list[Sample], list[Sample]]:
    """As many of the samples as there is time to run the network on, or none; and others that the fit has time for."""
    pixels, least = _pixels(samples), _pixels(split(samples, LEAST_PIXELS)[0])
    if not budget.allows(network_seconds(least, least), f"the network {Path(network).stem}"):
        return [], list(samples)
    # The other half of the time is for other trials.
    affordable = (budget.seconds_left / 2 - network_seconds(0, pixels)) / _RESTORING
    run, others = split(samples, int(np.clip(affordable, LEAST_PIXELS, pixels)))
    spare = (budget.seconds_left - network_seconds(_pixels(run), _pixels(run))) / _FITTING
    return run, split(others, int(min(spare, pixels)))[0] if spare >= _pixels(others[:1]) else []


def network_seconds(pixels: int, fitted: int) -> float:
    """How long the network takes, roughly, on samples of so many pixels, with the fit to so many."""
    return _COMPILING + _RESTORING * pixels + fitting_seconds(fitted)


def fitting_seconds(pixels: int) -> float:
    """How long the Wiener step's fit takes, roughly, on so many pixels."""
    return _FITTING * pixels


def _pixels(samples: Sequence[Sample]) -> int:
    """The pixels of all samples."""
    return sum(frame.planes[0].size for sample in samples for frame in sample.decoded)


def choose_for_samples(
    encoder: TrackEncoder,
    samples: Sequence[Sample],
    size: int,
    variant: Variant,
    *,
    timestamps: Timestamps | None = None,
    network: str | None = None,
    more: Sequence[Sample] = (),
) -> AttachmentChoice:
    """The best attachment for samples of a track.

    Args:
      encoder: the encoder.
      samples: samples of the track.
      size: the track's bytes.
      variant: what the track keeps of its source.
      timestamps: those that the attachment has to hold.
      network: the network that may be used, a name or a file of weights.
      more: further samples for the fit, on which the network is not run.
    """
    attachment = Attachment(
        size=encoder.shape,
        track=None if variant.shape == encoder.shape else variant.shape,
        timestamps=timestamps,
        interpolation=weights_id(encoder.settings.interpolation_weights) if variant.half_rate else None,
    )
    name = encoder.settings.codec.name
    error = measure_error([*samples, *more], encoder.coded.pixels, name if scale_of(name) is not None else None)
    part = network and Network(**dataclasses.asdict(weights_id(network)), error=error.relative)
    loop = _loop(encoder, samples, more, error, dataclasses.replace(attachment, network=part), network)
    fit = max([NOTHING, *fits(loop, error, part)], key=lambda each: each.net_gain(size))
    attachment = dataclasses.replace(attachment, wiener=fit.wiener, network=fit.network)
    return AttachmentChoice(attachment, fit, loop, variant, size)


def _loop(
    encoder: TrackEncoder,
    samples: Sequence[Sample],
    more: Sequence[Sample],
    error: CodingError,
    attachment: Attachment,
    network: str | None,
) -> ClosedLoop:
    """The decoder on samples, with a network if the weights `network` are given."""
    info = dataclasses.replace(encoder.coded, codec=encoder.settings.codec.name)
    weights = None if network is None else load(network)
    plan = plan_of(attachment, info)
    return ClosedLoop(weights, plan, samples, in_sample_values(error.absolute, encoder.coded.pixels), more)


def weights_id(weights: str) -> WeightsId:
    """How an attachment identifies weights."""
    return WeightsId(name=Path(weights).stem, digest=identity(weights))
