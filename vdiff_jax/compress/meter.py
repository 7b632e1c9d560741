"""What samples tell of a track's size and quality before it is encoded."""

import functools
from typing import Any, NamedTuple

import numpy as np

from vdiff_jax.compress.decision import decide_roughly
from vdiff_jax.compress.quality import better, luma_psnr
from vdiff_jax.compress.resolution import smaller_shapes
from vdiff_jax.compress.samples import Piece
from vdiff_jax.compress.tracks import Encoder, Track
from vdiff_jax.errors import FormatError
from vdiff_jax.media import Vmaf
from vdiff_jax.preprocess.resizing import Shape
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
      psnr: of luma, in dB.
      vmaf: None where it isn't measured.
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

    def shapes(self) -> list[Shape]:
        """The smaller ones that a track may have."""
        return smaller_shapes(self._encoder.original.info)

    def _trial(self, crf: float, shape: Shape) -> Trial:
        """Samples encoded alone: as they are decoded, or, where a VMAF is aimed at, mended and with theirs."""
        pieces, size = self._encoder.trial(crf, shape)
        if self._aimed is None:
            return Trial(shape, crf, size, self._psnr(pieces), None)
        return self._mended(pieces, crf, shape, size)

    def track(self, track: Track) -> Trial:
        """Samples of a track, mended, with their VMAF."""
        return self._mended(self._encoder.pieces(track), track.crf, track.shape, track.size)

    def ceiling(self, shape: Shape) -> float:
        """Luma's PSNR in dB of what is left of the samples in another size, were it kept without loss."""
        return self._psnr(self._encoder.uncoded(shape))

    def as_many_bytes(self, whole: Trial, shape: Shape) -> Trial:
        """A smaller picture in as many bytes, or a little fewer; in more where a few tries find no such crf."""
        codec = self._encoder.wanted.codec
        crf = codec.coarser(whole.crf, _PIXELS * float(np.log2(np.prod(shape) / np.prod(whole.shape))))
        tried: dict[float, float] = {}
        for _ in range(_TRIES):
            tried[crf] = float(np.log2(self._encoder.trial(crf, shape)[1] / whole.size))
            if -_SPARE <= tried[crf] <= 0:
                break
            crf = codec.coarser(crf, tried[crf])
            if crf in tried:
                break
        return self.trial(min((crf for crf, over in tried.items() if over <= 0), default=max(tried)), shape)

    def _psnr(self, pieces: list[Piece]) -> float:
        return luma_psnr(pieces, [piece.decoded for piece in pieces], self._encoder.stored.pixels)

    def _mended(self, pieces: list[Piece], crf: float, shape: Shape, size: int) -> Trial:
        """Its VMAF is left out where libvmaf isn't there or refuses the frames, and none is aimed at."""
        decision, vmaf = decide_roughly(self._encoder, pieces, size, self._network, shape), None
        try:
            vmaf = self._vmaf and better(decision, self._vmaf)[1].expected
        except FormatError:
            if self._aimed is not None:
                raise
        return Trial(shape, crf, size, self._psnr(pieces) + float(decision.made.gained[0]), vmaf)
