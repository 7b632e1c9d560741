"""A search over crf until what `decompress` gives is expected to have the VMAF that was asked for.

Samples that are encoded alone, and mended by diffusion alone, tell the crf; then the whole track is encoded, and its
own samples, with all that the decoder does, tell how far that was from the truth.
"""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from vdiff_jax.clock import Clock
from vdiff_jax.compress.codec import Codec
from vdiff_jax.compress.decision import Decision, decide, decide_roughly
from vdiff_jax.compress.tracks import Encoder, Track
from vdiff_jax.errors import OptionError
from vdiff_jax.media import Vmaf
from vdiff_jax.media.pixels import Frame
from vdiff_jax.weights import Weights

log = logging.getLogger(__name__)

_CLOSE = 0.5
"""A VMAF that is higher than the one asked for by no more than this is taken."""
_TRIES = 12
_TRACKS = 3


class Quality(NamedTuple):
    """Mean VMAF of the samples: of what `decompress` gives, of the track alone, over so many frames."""

    expected: float
    track: float
    frames: int

    def as_report(self) -> dict[str, float | int]:
        return {"expected": round(self.expected, 2), "track": round(self.track, 2), "sampled_frames": self.frames}


class Aimed(NamedTuple):
    """A track, what the decoder is to do with it, and its quality where that was asked for."""

    track: Track
    decision: Decision
    quality: Quality | None = None


def reach(encoder: Encoder, network: Weights, clock: Clock, vmaf: Vmaf) -> Aimed:
    """The track of fewest bytes that is expected to reach the VMAF that was asked for.

    Raises:
      OptionError: no crf comes up to it.
    """
    codec, target = encoder.wanted.codec, encoder.wanted.vmaf

    @functools.cache
    def sampled(crf: float) -> float:
        with clock.stage("search"):
            return better(decide_roughly(encoder, crf, network), vmaf)[1].expected

    tried: list[Aimed] = []
    missed = 0.0
    for _ in range(_TRACKS):
        crf = search(codec, target, lambda crf, missed=missed: sampled(crf) + missed)
        if any(crf == aimed.track.crf for aimed in tried):
            break
        track = encoder.encode(crf)
        with clock.stage("adapt"):
            tried.append(Aimed(track, *better(decide(encoder, track, network), vmaf)))
        missed = tried[-1].quality.expected - sampled(crf)
        if 0 <= tried[-1].quality.expected - target <= _CLOSE:
            break
    reached = [aimed for aimed in tried if aimed.quality.expected >= target]
    if reached:
        return min(reached, key=lambda aimed: aimed.track.size)
    best = max(tried, key=lambda aimed: aimed.quality.expected)
    log.warning("VMAF %g was asked for, %.2f is what came out", target, best.quality.expected)
    return best


def search(codec: Codec, target: float, quality: Callable[[float], float]) -> float:
    """A crf whose quality is the target or a little more.

    Args:
      codec: tells where to begin and how far crf goes.
      target: the quality.
      quality: of a crf; it falls as crf rises.

    Raises:
      OptionError: not even crf 1 comes up to it.
    """
    step = 1.0 if codec.name == "av1" else 0.1
    good: tuple[float, float] | None = None
    bad: tuple[float, float] | None = None
    crf = codec.crf
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


def better(decision: Decision, vmaf: Vmaf) -> tuple[Decision, Quality]:
    """What was decided, by PSNR, or the plain track where that has the higher VMAF; and the samples' quality."""
    pieces = decision.rehearsal.pieces
    count = sum(len(piece.source[piece.measured]) for piece in pieces)
    track = _mean(decision, [piece.decoded for piece in pieces], vmaf)
    if decision.recipe.diffusion is None:
        return decision, Quality(track, track, count)
    expected = _mean(decision, decision.rehearsal.shown(decision.recipe), vmaf)
    if expected < track:
        return decision.plain(), Quality(track, track, count)
    return decision, Quality(expected, track, count)


def _mean(decision: Decision, shown: Sequence[Sequence[Frame]], vmaf: Vmaf) -> float:
    """All pieces in a row: a cut between two is a frame's, whose motion is the lesser of its two differences."""
    pieces = decision.rehearsal.pieces
    truth = [frame for piece in pieces for frame in piece.source]
    scores = vmaf([frame for piece in shown for frame in piece], truth, decision.rehearsal.pixels)
    ends = np.cumsum([len(piece.source) for piece in pieces])[:-1]
    return float(np.mean(np.concatenate([s[piece.measured] for s, piece in zip(np.split(scores, ends), pieces)])))
