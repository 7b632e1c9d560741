"""The choice of the track's size, by trial on samples: a smaller picture is coded more finely in as few bytes."""

from typing import NamedTuple

from vdiff_jax.compress.meter import Meter, Trial
from vdiff_jax.compress.tracks import Encoder, Track


class Choice(NamedTuple):
    """A track, and what was tried: the source's size first, then smaller ones that could be better."""

    track: Track
    tried: list[Trial]


def choose(encoder: Encoder, meter: Meter, track: Track) -> Choice:
    """The track, or a smaller one that is better in no more bytes."""
    shapes = meter.shapes()
    if not shapes:
        return Choice(track, [])
    whole = meter.trial(track.crf, track.shape)
    tried = [meter.as_many_bytes(whole, shape) for shape in shapes if meter.ceiling(shape).psnr > whole.psnr]
    best = max((trial for trial in tried if trial.beats(whole)), key=lambda trial: trial.psnr, default=None)
    if best is not None:
        smaller = encoder.smaller(track, best.crf, best.shape)
        # The tracks' own samples have the last word.
        if meter.track(smaller).beats(meter.track(track)):
            track = smaller
    return Choice(track, [whole, *tried])
