"""The smallest track for which `decompress` is expected to reach a target VMAF.

Probes with the Wiener step alone give a first crf. Then the whole track is encoded. Samples of that track, restored by
all of the decoder's steps, show the error of the probes.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vdiff_jax.compression.attachment_choice import AttachmentChoice, choose_attachment
from vdiff_jax.compression.budget import Budget
from vdiff_jax.compression.codec import Codec
from vdiff_jax.compression.probes import Probe, Prober, Quality, keep_if_vmaf_rises
from vdiff_jax.compression.settings import VMAF_TRIES
from vdiff_jax.compression.track import Track, Variant
from vdiff_jax.compression.track_choice import TrackChoice
from vdiff_jax.compression.track_encoder import TrackEncoder
from vdiff_jax.errors import OptionError
from vdiff_jax.media import Vmaf
from vdiff_jax.runtime.stopwatch import Stopwatch

log = logging.getLogger(__name__)

_TOLERANCE = 0.5
"""A VMAF up to this much above the target is good enough."""
_MOST_PROBES = 12


class Candidate(NamedTuple):
    """A track and its attachment; the quality of both is known where a VMAF is the target."""

    track_choice: TrackChoice
    attachment_choice: AttachmentChoice
    quality: Quality | None = None

    @property
    def track(self) -> Track:
        """The track."""
        return self.track_choice.track


def reach_target_vmaf(encoder: TrackEncoder, budget: Budget, clock: Stopwatch, vmaf: Vmaf) -> Candidate:
    """The smallest track that is expected to reach the target VMAF, or, with a warning, the best one found.

    Raises:
      OptionError: no crf reaches the target.
    """
    codec, target = encoder.settings.codec, encoder.settings.target_vmaf
    prober = Prober(encoder, vmaf)
    encoder.begin("probing")
    with clock.stage("choose"):
        probes = probe_variants(prober, codec, target, encoder.whole)
    first = min(probes, key=lambda probe: probe.size)
    variant = first.variant
    tried: list[Candidate] = []
    surplus = 0.0  # The track's VMAF less that of its probe.
    for _ in range(VMAF_TRIES):
        encoder.begin("probing")
        with clock.stage("choose"):
            crf = search_crf(codec, target, lambda crf, more=surplus: prober.probe(crf, variant).vmaf + more, first.crf)
        if any(crf == candidate.track.crf for candidate in tried):
            break
        track = encoder.encode(crf, variant)
        budget.begin_trials()
        encoder.begin("fitting")
        with clock.stage("adapt"):
            choice = choose_attachment(encoder, track, budget)
            tried.append(Candidate(TrackChoice(track, probes), *keep_if_vmaf_rises(encoder, choice, vmaf)))
        expected = tried[-1].quality.expected
        surplus = expected - prober.probe(crf, variant).vmaf
        if 0 <= expected - target <= _TOLERANCE:
            break
    reached = [candidate for candidate in tried if candidate.quality.expected >= target]
    if reached:
        return min(reached, key=lambda candidate: candidate.track.size)
    best = max(tried, key=lambda candidate: candidate.quality.expected)
    log.warning("VMAF %g was the target, but the result is expected to have %.2f", target, best.quality.expected)
    return best


def probe_variants(prober: Prober, codec: Codec, target: float, whole: Variant) -> list[Probe]:
    """Probes that reach a VMAF: that of the whole source first, then those of variants that may take fewer bytes.

    Raises:
      OptionError: no crf reaches the target.
    """
    probes = [prober.probe(search_crf(codec, target, lambda crf: prober.probe(crf, whole).vmaf), whole)]
    probes += _probe_others(prober, codec, target, probes[0], prober.smaller())
    best = min(probes, key=lambda probe: probe.size)
    return probes + _probe_others(prober, codec, target, best, prober.half_rate(best.crf, best.variant))


def _probe_others(prober: Prober, codec: Codec, target: float, best: Probe, variants: Sequence[Variant]) -> list[Probe]:
    """Probes at the target of those variants that are above it in no more bytes than the best one so far."""
    probes = []
    for variant in variants:
        rival = prober.probe_same_size(best, variant)
        if rival.vmaf > target and rival.size <= best.size:
            crf = search_crf(codec, target, lambda crf, variant=variant: prober.probe(crf, variant).vmaf, rival.crf)
            probes.append(prober.probe(crf, variant))
    return probes


def search_crf(codec: Codec, target: float, quality: Callable[[float], float], first: float | None = None) -> float:
    """The highest crf, or nearly so, whose quality is at least the target.

    Args:
      codec: gives the range of crf.
      target: the quality to reach.
      quality: gives the quality at a crf; it falls as crf rises.
      first: the crf to try first; None for the codec's default.

    Raises:
      OptionError: even crf 1 is below the target.
    """
    step = codec.crf_step
    good: tuple[float, float] | None = None
    bad: tuple[float, float] | None = None
    crf = codec.crf if first is None else first
    for _ in range(_MOST_PROBES):
        found = quality(crf)
        if found >= target:
            good = crf, found
            if found <= target + _TOLERANCE or crf >= codec.highest_crf:
                return crf
        else:
            bad = crf, found
            if crf <= 1:
                raise OptionError(
                    f"VMAF {target:g} is out of reach of {codec.encoder}: at its finest, crf {crf:g}, {found:.2f} is "
                    "expected: pass a lower one"
                )
        if good is not None and bad is not None:
            if bad[0] - good[0] < 1.5 * step:
                break
            share = (good[1] - target - _TOLERANCE / 2) / (good[1] - bad[1])
            crf = good[0] + (bad[0] - good[0]) * float(np.clip(share, 0.1, 0.9))
            # At least a step away from both, so that every try narrows the range.
            crf = float(np.clip(round(crf / step) * step, good[0] + step, bad[0] - step))
        else:
            crf = float(np.clip(crf + (codec.octave if bad is None else -codec.octave), 1, codec.highest_crf))
        crf = round(crf, 2)
    return good[0]
