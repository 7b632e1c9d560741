"""What samples tell of a track's size and quality before it is encoded."""

import functools
from typing import Any, NamedTuple

import numpy as np

from vdiff_jax.compression.attachment_choice import decide_roughly
from vdiff_jax.compression.form import Form
from vdiff_jax.compression.quality import better, luma_psnr
from vdiff_jax.compression.resolution import smaller_forms
from vdiff_jax.compression.samples import Piece
from vdiff_jax.compression.track import Track
from vdiff_jax.compression.track_encoder import Encoder
from vdiff_jax.errors import FormatError
from vdiff_jax.media import Vmaf
from vdiff_jax.pixels import Frame
from vdiff_jax.weights import Weights

_GAIN = 0.1
"""dB of luma's PSNR that a smaller picture has to gain."""
_PIXELS = 0.75
"""At the same crf a picture's bytes grow as its pixels to this power, about."""
_HALVED = 0.4
"""Octaves by which bytes fall at the same crf where every second frame is left out, about."""
_FINER = 2.0
"""dB by which what another form keeps may be coded better in as many bytes, at most."""
_COARSE = 32.0
"""dB of luma's PSNR above which leaving frames out is not tried: on three scenes it was better below 29 alone."""
_TRIES = 4
_SPARE = 0.03
"""Octaves by which a rate may be under the one that it is to come up to."""


class Trial(NamedTuple):
    """What samples of a track tell.

    Attributes:
      form: what it keeps of its source.
      crf: the encoder's.
      size: bytes of the whole track, about.
      psnr: of luma, in dB.
      vmaf: None where it isn't measured.
    """

    form: Form
    crf: float
    size: int
    psnr: float
    vmaf: float | None

    def beats(self, other: "Trial") -> bool:
        """Better in no more bytes."""
        if self.vmaf is not None and other.vmaf is not None and self.vmaf < other.vmaf:
            return False
        return self.size <= other.size and self.psnr >= other.psnr + _GAIN

    def as_report(self) -> dict[str, Any]:
        shown = {**self.form.as_report(), "crf": self.crf, "bytes": self.size}
        return {**shown, "psnr_y": round(self.psnr, 3), "vmaf": self.vmaf and round(self.vmaf, 2)}


class Meter:
    """Measures samples as they are decoded, or as diffusion alone mends them.

    Args:
      encoder: of the tracks.
      network: whose part is left out, but whose identity a recipe holds.
      vmaf: None leaves VMAF out.
    """

    def __init__(self, encoder: Encoder, network: Weights, vmaf: Vmaf | None):
        self._encoder, self._network, self._vmaf = encoder, network, vmaf
        self._aimed = encoder.wanted.vmaf
        self.trial = functools.cache(self._trial)

    def smaller(self) -> list[Form]:
        """Those of fewer pixels that a track may have."""
        return smaller_forms(self._encoder.original.info)

    def halved(self, crf: float, form: Form) -> list[Form]:
        """The same form of every second frame, where that may be: weights interpolate, lines are not of two fields."""
        may = self._encoder.wanted.filling is not None and not self._encoder.original.info.interlaced
        return [form._replace(halved=True)] if may and self.trial(crf, form).psnr <= _COARSE else []

    def _trial(self, crf: float, form: Form) -> Trial:
        """Samples encoded alone: as they are decoded, or, where a VMAF is aimed at, mended and with theirs."""
        pieces, size = self._encoder.excerpts.alone(crf, form)
        if self._aimed is None:
            return Trial(form, crf, size, self._shown([piece.decoded for piece in pieces], form), None)
        return self._mended(pieces, crf, form, size)

    def track(self, track: Track) -> Trial:
        """Samples of a track, mended, with their VMAF."""
        return self._mended(self._encoder.excerpts.of(track), track.crf, track.form, track.size)

    def may_beat(self, form: Form, now: Trial) -> bool:
        """Whether another form is better than one, were what it keeps coded as finely as can be hoped for."""
        kept = [piece.decoded for piece in self._encoder.excerpts.uncoded(form)]
        return self._shown(kept, form, most=now.psnr + _FINER) > now.psnr

    def as_many_bytes(self, whole: Trial, form: Form) -> Trial:
        """Another form in as many bytes, or a little fewer; in more where a few tries find no such crf."""
        codec = self._encoder.wanted.codec
        fewer = _PIXELS * float(np.log2(np.prod(form.shape) / np.prod(whole.form.shape)))
        crf = codec.coarser(whole.crf, fewer - _HALVED * (form.halved - whole.form.halved))
        tried: dict[float, float] = {}
        for _ in range(_TRIES):
            tried[crf] = float(np.log2(self._encoder.excerpts.alone(crf, form)[1] / whole.size))
            if -_SPARE <= tried[crf] <= 0:
                break
            crf = codec.coarser(crf, tried[crf])
            if crf in tried:
                break
        return self.trial(min((crf for crf, over in tried.items() if over <= 0), default=max(tried)), form)

    def _shown(self, frames: list[list[Frame]], form: Form, most: float = np.inf) -> float:
        return luma_psnr(self._encoder.excerpts.shown(frames, form), self._encoder.stored.pixels, most)

    def _mended(self, pieces: list[Piece], crf: float, form: Form, size: int) -> Trial:
        """Its VMAF is left out where libvmaf isn't there or refuses the frames, and none is aimed at."""
        decision, vmaf = decide_roughly(self._encoder, pieces, size, self._network, form), None
        try:
            vmaf = self._vmaf and better(self._encoder, decision, self._vmaf)[1].expected
        except FormatError:
            if self._aimed is not None:
                raise
        return Trial(form, crf, size, self._shown(decision.rehearsal.shown(decision.recipe), form), vmaf)
