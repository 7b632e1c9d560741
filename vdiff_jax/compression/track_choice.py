"""The choice of the track's variant: fewer pixels or frames, which can be coded more finely in the same bytes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from vdiff_jax.compression.probes import Probe, Prober
from vdiff_jax.compression.track import Track, Variant
from vdiff_jax.compression.track_encoder import TrackEncoder


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


def choose_track(encoder: TrackEncoder, prober: Prober, track: Track) -> TrackChoice:
    """A track of the whole source, or one of fewer pixels or frames that is better in no more bytes."""
    choice = _improve(encoder, prober, TrackChoice(track), prober.smaller())
    return _improve(encoder, prober, choice, prober.half_rate(choice.track.crf, choice.track.variant))


def _improve(encoder: TrackEncoder, prober: Prober, choice: TrackChoice, variants: Sequence[Variant]) -> TrackChoice:
    """The choice after probes of these variants; the most promising one is encoded and taken if it is better."""
    if not variants:
        return choice
    track = choice.track
    now = prober.probe(track.crf, track.variant)
    others = [prober.probe_same_size(now, variant) for variant in variants if prober.could_beat(variant, now)]
    choice = choice._replace(tried=[*choice.tried, *([] if now in choice.tried else [now]), *others])
    best = max((probe for probe in others if probe.beats(now)), key=lambda probe: probe.psnr, default=None)
    if best is None:
        return choice
    challenger = encoder.encode_within(track.size, best.crf, best.variant)
    # Probes only predict. What the decoder makes of the two encoded tracks decides.
    compared = [prober.probe_track(track), prober.probe_track(challenger)]
    track = challenger if compared[1].beats(compared[0]) else track
    return TrackChoice(track, choice.tried, [*choice.compared, *compared])
