"""The choice of the track's variant: fewer pixels or frames, which can be coded more finely in the same bytes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from vdiff_jax.compression.attachment_choice import network_seconds
from vdiff_jax.compression.budget import Budget
from vdiff_jax.compression.probes import Probe, Prober
from vdiff_jax.compression.track import Track, Variant
from vdiff_jax.compression.track_encoder import TrackEncoder

_COMPILING = 15.0
"""Seconds that compiling a network takes, roughly."""
_INTERPOLATING, _RESTORING, _RESIZING = 0.5, 0.5, 0.1
"""Seconds for a million pixels of the samples, roughly."""
_CLEARLY_WORSE = 0.5
"""In dB of luma's PSNR."""
_PROBE_ENCODINGS = 3
"""How often the samples are encoded, roughly, to probe one variant."""


class TrackChoice(NamedTuple):
    """The chosen track, and the probes that led to it.

    Attributes:
      track: the track.
      tried: probes made before encoding: the source's own variant first, then smaller ones, then half rate.
      compared: probes of encoded tracks, in pairs: the best so far, and the more promising one that challenged it.
    """

    track: Track
    tried: Sequence[Probe] = ()
    compared: Sequence[Probe] = ()

    def as_report(self) -> dict[str, Any]:
        """As JSON."""
        probes = {"tried": self.tried, "compared": self.compared}
        variant = self.track.variant.as_report()
        return variant | {name: [probe.as_report() for probe in each] for name, each in probes.items()}


def choose_track(encoder: TrackEncoder, prober: Prober, track: Track, budget: Budget) -> TrackChoice:
    """A track of the whole source, or one of fewer pixels or frames that is better in no more bytes."""
    cost = Cost(encoder, len(track.times), budget)
    choice = _improve(encoder, prober, TrackChoice(track), prober.smaller(), cost)
    if not cost.allows_interpolation:
        return choice
    return _improve(encoder, prober, choice, prober.half_rate(choice.track.crf, choice.track.variant), cost)


class Cost:
    """The seconds that trials of other variants take, estimated from those of the first track.

    Args:
      encoder: the encoder.
      count: the number of the source's frames.
      budget: knows the plain encoder's time.

    Attributes:
      probe: to probe one more variant.
      track: to encode one more track, and to restore samples of both.
      interpolation: to compile the network that interpolates, and to probe half rate.
    """

    def __init__(self, encoder: TrackEncoder, count: int, budget: Budget):
        self._budget, plain = budget, budget.plain_seconds
        extent = encoder.sampler.extent(count)
        self.probe = _PROBE_ENCODINGS * extent.share * plain + _RESIZING * extent.probed
        self.track = plain + _RESTORING * extent.megapixels
        self.interpolation = _COMPILING + _INTERPOLATING * extent.probed + plain

    @property
    def allows_interpolation(self) -> bool:
        """Whether there is time to probe half rate."""
        return self._budget.allows(self.interpolation, "every second frame")

    @property
    def allows_probe(self) -> bool:
        """Whether there is time to probe one more variant."""
        return self._budget.allows(self.probe, "a smaller picture")

    @property
    def allows_track(self) -> bool:
        """Whether there is time to encode one more track."""
        return self._budget.allows(self.track, "a second track")


def most_seconds(encoder: TrackEncoder, prober: Prober, count: int, budget: Budget) -> float:
    """How long all trials take at most, roughly: the network is run on samples of up to two tracks.

    Args:
      encoder, prober, budget: as `choose_track` takes them.
      count: the number of the source's frames.
    """
    pixels, cost = round(1e6 * encoder.sampler.extent(count).megapixels), Cost(encoder, count, budget)
    return (
        2 * network_seconds(pixels, pixels) + len(prober.smaller()) * cost.probe + 2 * cost.track + cost.interpolation
    )


def _improve(
    encoder: TrackEncoder, prober: Prober, choice: TrackChoice, variants: Sequence[Variant], cost: Cost
) -> TrackChoice:
    """The choice after probes of these variants; the most promising one is encoded and taken if it is better."""
    if not variants or not cost.allows_probe:
        return choice
    track = choice.track
    now = prober.probe(track.crf, track.variant)
    others = _probes(prober, now, variants, cost)
    choice = choice._replace(tried=[*choice.tried, *([] if now in choice.tried else [now]), *others])
    best = max((probe for probe in others if probe.beats(now)), key=lambda probe: probe.psnr, default=None)
    if best is None or not cost.allows_track:
        return choice
    challenger = encoder.encode_within(track.size, best.crf, best.variant)
    encoder.begin("comparing")
    # Probes only predict. What the decoder makes of the two encoded tracks decides.
    compared = [prober.probe_track(track), prober.probe_track(challenger)]
    track = challenger if compared[1].beats(compared[0]) else track
    return TrackChoice(track, choice.tried, [*choice.compared, *compared])


def _probes(prober: Prober, now: Probe, variants: Sequence[Variant], cost: Cost) -> list[Probe]:
    """Probes of variants, the largest first, until one is clearly worse: smaller ones are worse still."""
    probes: list[Probe] = []
    for variant in variants:
        if not cost.allows_probe or not prober.could_beat(variant, now):
            break
        probes.append(prober.probe_same_size(now, variant))
        if probes[-1].psnr < now.psnr - _CLEARLY_WORSE:
            break
    return probes
