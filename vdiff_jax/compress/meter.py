"""What samples tell of a track's size and quality before it is encoded."""

import functools
from typing import Any, NamedTuple

import numpy as np

from vdiff_jax.compress.decision import Decision, decide_roughly
from vdiff_jax.compress.quality import better, luma_psnr, mean_vmaf
from vdiff_jax.compress.resolution import Shape, smaller_shapes
from vdiff_jax.compress.samples import Piece
from vdiff_jax.compress.tracks import Encoder, Track
from vdiff_jax.errors import FormatError
from vdiff_jax.media import Vmaf
from vdiff_jax.weights import Weights

_GAIN = 0.1
"""dB of luma's PSNR that a smaller picture has to gain."""
_PIXELS = 0.75
"""At the same crf a picture's bytes grow as its pixels to this power, about."""
_TRIES = 4
_SPARE = 0.03
"""Octaves by which a rate may be under the one that it is to come up to."""


class Trial(NamedTuple):
    """What samples of a track tell.

    Attributes:
      shape: height and width.
      crf: the encoder's.
      size: bytes of the whole track, about.
      psnr: of luma, in dB, as diffusion alone shows them.
      vmaf: of the same; None where it isn't measured.
    """

    shape: Shape
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
        shown = {"width": self.shape[1], "height": self.shape[0], "crf": self.crf, "bytes": self.size}
        return {**shown, "psnr_y": round(self.psnr, 3), "vmaf": self.vmaf and round(self.vmaf, 2)}


class Meter:
    """Measures samples as diffusion alone shows them.

    Args:
      encoder: of the tracks.
      network: whose part is left out, but whose identity a recipe holds.
      vmaf: None leaves VMAF out.
    """

    def __init__(self, encoder: Encoder, network: Weights, vmaf: Vmaf | None):
        self._encoder, self._network, self._vmaf = encoder, network, vmaf
        self._aimed = encoder.wanted.vmaf
        self.trial = functools.cache(self._trial)

    def shapes(self) -> list[Shape]:
        """The smaller ones that a track may have."""
        return smaller_shapes(self._encoder.original.info)

    def _trial(self, crf: float, shape: Shape) -> Trial:
        """Samples encoded alone, with their VMAF where one is aimed at."""
        pieces, size = self._encoder.trial(crf, shape)
        trial, decision = self._measured(pieces, crf, shape, size)
        return trial if self._aimed is None else self._by_vmaf(trial, decision)

    def track(self, track: Track) -> Trial:
        """Samples of a track, with their VMAF."""
        return self._by_vmaf(*self._measured(self._encoder.pieces(track), track.crf, track.shape, track.size))

    def ceiling(self, shape: Shape) -> Trial:
        """What is left of the samples in another size, were it kept without loss."""
        pieces, pixels = self._encoder.uncoded(shape), self._encoder.stored.pixels
        shown = [piece.decoded for piece in pieces]
        vmaf = None if self._aimed is None else mean_vmaf(pieces, shown, pixels, self._vmaf)
        return Trial(shape, 0.0, 0, luma_psnr(pieces, shown, pixels), vmaf)

    def finer(self, whole: Trial, shape: Shape) -> float:
        """The crf at which a smaller picture takes as many bytes, about."""
        octaves = _PIXELS * float(np.log2(np.prod(shape) / np.prod(whole.shape)))
        return self._encoder.wanted.codec.coarser(whole.crf, octaves)

    def as_many_bytes(self, whole: Trial, shape: Shape) -> Trial:
        """A smaller picture in as many bytes, or a little fewer; in more where a few tries find no such crf."""
        codec, crf = self._encoder.wanted.codec, self.finer(whole, shape)
        tried: dict[float, float] = {}
        for _ in range(_TRIES):
            tried[crf] = float(np.log2(self._encoder.trial(crf, shape)[1] / whole.size))
            if -_SPARE <= tried[crf] <= 0:
                break
            crf = codec.coarser(crf, tried[crf])
            if crf in tried:
                break
        return self.trial(min((crf for crf, over in tried.items() if over <= 0), default=max(tried)), shape)

    def _measured(self, pieces: list[Piece], crf: float, shape: Shape, size: int) -> tuple[Trial, Decision]:
        decision = decide_roughly(self._encoder, pieces, size, self._network, shape)
        psnr = luma_psnr(pieces, [piece.decoded for piece in pieces], decision.rehearsal.pixels)
        return Trial(shape, crf, size, psnr + float(decision.made.gained[0]), None), decision

    def _by_vmaf(self, trial: Trial, decision: Decision) -> Trial:
        """With its VMAF; as it is where libvmaf refuses the frames and none is aimed at."""
        if self._vmaf is None:
            return trial
        try:
            quality = better(decision, self._vmaf)[1]
        except FormatError:
            if self._aimed is not None:
                raise
            return trial
        return trial._replace(vmaf=quality.expected)
