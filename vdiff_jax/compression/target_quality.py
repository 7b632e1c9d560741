"""A search over crf until what `decompress` gives is expected to have the VMAF that was asked for.

Samples that are encoded alone, and mended by diffusion alone, tell the crf; then the whole track is encoded, and its
own samples, with all that the decoder does, tell how far that was from the truth.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vdiff_jax.compression.attachment_choice import Decision, decide
from vdiff_jax.compression.codec import Codec
from vdiff_jax.compression.form import Form
from vdiff_jax.compression.probes import Meter, Trial
from vdiff_jax.compression.quality import Quality, better
from vdiff_jax.compression.track import Track
from vdiff_jax.compression.track_choice import Choice
from vdiff_jax.compression.track_encoder import Encoder
from vdiff_jax.errors import OptionError
from vdiff_jax.media import Vmaf
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.weights import Weights

log = logging.getLogger(__name__)

_CLOSE = 0.5
"""A VMAF that is higher than the one asked for by no more than this is taken."""
_TRIES = 12
_TRACKS = 3


class Aimed(NamedTuple):
    """The choice of a track, what the decoder is to do with it, and its quality where that was asked for."""

    choice: Choice
    decision: Decision
    quality: Quality | None = None

    @property
    def track(self) -> Track:
        return self.choice.track


def reach(encoder: Encoder, network: Weights, clock: Stopwatch, vmaf: Vmaf) -> Aimed:
    """The track of fewest bytes that is expected to reach the VMAF that was asked for.

    Raises:
      OptionError: no crf comes up to it.
    """
    codec, target = encoder.wanted.codec, encoder.wanted.vmaf
    meter = Meter(encoder, network, vmaf)
    with clock.stage("choose"):
        trials = smallest(meter, codec, target, encoder.form)
    best = min(trials, key=lambda trial: trial.size)
    tried: list[Aimed] = []
    missed = 0.0
    for _ in range(_TRACKS):
        with clock.stage("choose"):
            crf = search(codec, target, lambda crf, missed=missed: meter.trial(crf, best.form).vmaf + missed, best.crf)
        if any(crf == aimed.track.crf for aimed in tried):
            break
        track = encoder.encode(crf, best.form)
        with clock.stage("adapt"):
            tried.append(Aimed(Choice(track, trials), *better(encoder, decide(encoder, track, network), vmaf)))
        missed = tried[-1].quality.expected - meter.trial(crf, best.form).vmaf
        if 0 <= tried[-1].quality.expected - target <= _CLOSE:
            break
    reached = [aimed for aimed in tried if aimed.quality.expected >= target]
    if reached:
        return min(reached, key=lambda aimed: aimed.track.size)
    best = max(tried, key=lambda aimed: aimed.quality.expected)
    log.warning("VMAF %g was asked for, %.2f is what came out", target, best.quality.expected)
    return best


def smallest(meter: Meter, codec: Codec, target: float, form: Form) -> list[Trial]:
    """The samples that reach a VMAF in the fewest bytes: in the source's form, then in others that take fewer.

    Raises:
      OptionError: the source's form can't.
    """
    trials = [meter.trial(search(codec, target, lambda crf: meter.trial(crf, form).vmaf), form)]
    trials += _fewer(meter, codec, target, trials[0], meter.smaller())
    best = min(trials, key=lambda trial: trial.size)
    return trials + _fewer(meter, codec, target, best, meter.halved(best.crf, best.form))


def _fewer(meter: Meter, codec: Codec, target: float, than: Trial, forms: Sequence[Form]) -> list[Trial]:
    """Those of other forms that are better than one in as many bytes, at the VMAF that was asked for."""
    trials = []
    for form in forms:
        alike = meter.as_many_bytes(than, form)
        if alike.vmaf > target and alike.size <= than.size:
            crf = search(codec, target, lambda crf, form=form: meter.trial(crf, form).vmaf, alike.crf)
            trials.append(meter.trial(crf, form))
    return trials


def search(codec: Codec, target: float, quality: Callable[[float], float], begin: float | None = None) -> float:
    """A crf whose quality is the target or a little more.

    Args:
      codec: tells how far crf goes.
      target: the quality.
      quality: of a crf; it falls as crf rises.
      begin: the crf that is tried first; the codec's usual one by default.

    Raises:
      OptionError: not even crf 1 comes up to it.
    """
    step = 1.0 if codec.name == "av1" else 0.1
    good: tuple[float, float] | None = None
    bad: tuple[float, float] | None = None
    crf = codec.crf if begin is None else begin
    for _ in range(_TRIES):
        found = quality(crf)
        if found >= target:
            good = crf, found
            if found <= target + _CLOSE or crf >= codec.coarsest:
                return crf
        else:
            bad = crf, found
            if crf <= 1:
                raise OptionError(
                    f"no setting of {codec.encoder} comes up to VMAF {target:g}: at crf {crf:g} {found:.2f} is expected"
                )
        if good is not None and bad is not None:
            if bad[0] - good[0] < 1.5 * step:
                break
            share = (good[1] - target - _CLOSE / 2) / (good[1] - bad[1])
            crf = good[0] + (bad[0] - good[0]) * float(np.clip(share, 0.1, 0.9))
            # A step of its own between the two, so that they close in.
            crf = float(np.clip(round(crf / step) * step, good[0] + step, bad[0] - step))
        else:
            crf = float(np.clip(crf + (codec.octave if bad is None else -codec.octave), 1, codec.coarsest))
        crf = round(crf, 2)
    return good[0]
