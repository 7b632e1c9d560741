"""The choice of the track's form, by trial on samples: less of the video is coded more finely in as few bytes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from vdiff_jax.compression.form import Form
from vdiff_jax.compression.probes import Meter, Trial
from vdiff_jax.compression.track import Track
from vdiff_jax.compression.track_encoder import Encoder


class Choice(NamedTuple):
    """A track, and why it is this one.

    Attributes:
      track: the one that was chosen.
      tried: samples encoded alone: of the source's size first, then of smaller ones that could be better, then of every
        second frame.
      compared: samples of one track and of another, where the first let expect more of the second; pair by pair.
    """

    track: Track
    tried: Sequence[Trial] = ()
    compared: Sequence[Trial] = ()

    def as_report(self) -> dict[str, Any]:
        chosen = self.track.form.as_report()
        return {**chosen, **{name: [t.as_report() for t in getattr(self, name)] for name in ("tried", "compared")}}


def choose(encoder: Encoder, meter: Meter, track: Track) -> Choice:
    """The track, or one of fewer pixels or frames that is better in no more bytes."""
    choice = _better(encoder, meter, Choice(track), meter.smaller())
    return _better(encoder, meter, choice, meter.halved(choice.track.crf, choice.track.form))


def _better(encoder: Encoder, meter: Meter, choice: Choice, forms: Sequence[Form]) -> Choice:
    """The choice as it was, or the best of other forms."""
    if not forms:
        return choice
    track = choice.track
    now = meter.trial(track.crf, track.form)
    others = [meter.as_many_bytes(now, form) for form in forms if meter.may_beat(form, now)]
    choice = choice._replace(tried=[*choice.tried, *([] if now in choice.tried else [now]), *others])
    best = max((trial for trial in others if trial.beats(now)), key=lambda trial: trial.psnr, default=None)
    if best is None:
        return choice
    other = encoder.smaller(track, best.crf, best.form)
    # What the decoder will make of both tracks has the last word.
    compared = [meter.track(track), meter.track(other)]
    track = other if compared[1].beats(compared[0]) else track
    return Choice(track, choice.tried, [*choice.compared, *compared])
