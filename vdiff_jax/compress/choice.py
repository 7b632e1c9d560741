"""The choice of the track's size, by trial on samples: a smaller picture is coded more finely in as few bytes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from vdiff_jax.compress.meter import Meter, Trial
from vdiff_jax.compress.tracks import Encoder, Track


class Choice(NamedTuple):
    """A track, and why it is this one.

    Attributes:
      track: the one that was chosen.
      tried: samples encoded alone, in the source's size first, then in smaller ones that could be better.
      compared: samples of a track in the source's size and of a smaller one, where the first let expect more of it.
    """

    track: Track
    tried: Sequence[Trial] = ()
    compared: Sequence[Trial] = ()

    def as_report(self) -> dict[str, Any]:
        chosen = {"width": self.track.shape[1], "height": self.track.shape[0]}
        return {**chosen, **{name: [t.as_report() for t in getattr(self, name)] for name in ("tried", "compared")}}


def choose(encoder: Encoder, meter: Meter, track: Track) -> Choice:
    """The track, or a smaller one that is better in no more bytes."""
    shapes = meter.shapes()
    if not shapes:
        return Choice(track)
    whole = meter.trial(track.crf, track.shape)
    tried = [meter.as_many_bytes(whole, shape) for shape in shapes if meter.ceiling(shape) > whole.psnr]
    best = max((trial for trial in tried if trial.beats(whole)), key=lambda trial: trial.psnr, default=None)
    if best is None:
        return Choice(track, [whole, *tried])
    smaller = encoder.smaller(track, best.crf, best.shape)
    # What the decoder will make of both tracks has the last word.
    compared = [meter.track(track), meter.track(smaller)]
    return Choice(smaller if compared[1].beats(compared[0]) else track, [whole, *tried], compared)
