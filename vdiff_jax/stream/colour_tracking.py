"""Where a reference's colours are in the frames after it, and how far they may be trusted there."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.stream.flow import SMALLEST

FADE = 0.99
"""What is left of the trust that is handed on from frame to frame, however well it went."""
_MISMATCH = 0.04
"""A difference of luma, in levels, that says that a pixel is not the one it was taken for."""
_ASTRAY = 1.5
"""Half-size pixels by which the way there and back may miss where it began."""
_CONTRADICTION = 0.08
"""A mean difference of chroma, in levels, that two references of the same thing never have."""

Field = Float[np.ndarray, "h2 w2 2"]
Luma = UInt8[np.ndarray, "h2 w2"]


@dataclasses.dataclass(frozen=True)
class Carried:
    """What is brought to a frame: Cb, Cr in levels and how far they may be trusted, 0 to 1, without padding."""

    chroma: Float[np.ndarray, "h w 2"]
    trust: Float[np.ndarray, "h w"]

    @property
    def nbytes(self) -> int:
        return self.chroma.nbytes + self.trust.nbytes


class Trail:
    """Follows a reference's colours along the motion.

    Two witnesses speak for each pixel. One is the reference itself: the motion is summed up frame by frame and refined
    between the two frames, so it neither drifts nor blurs. The other is the frame before, which still knows what the
    reference's frame can't be compared with any more: what turned, or changed its brightness. Each counts as far as
    luma agrees; the reference, too, as far as the way there and back ends where it began.
    """

    def __init__(self) -> None:
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._search.setFinestScale(0)
        self._reference: _Seen | None = None
        self._last: _Seen | None = None
        self._there = self._back = self._ahead = None
        self.contradicted: list[bool] = []
        """For each frame of the last chunk, whether its reference can't be of the same things as the one before."""

    def __call__(self, chunk: Chunk) -> list[Carried]:
        """What each frame is told; chunks come in order."""
        if chunk.starts_shot:
            self._reference = self._last = None
        self.contradicted = []
        return [self._follow(item, field) for item, field in zip(chunk.analysed, chunk.velocity)]

    def _follow(self, item: AnalysedFrame, field: Float[np.ndarray, "hv wv 4"]) -> Carried:
        small, size = item.flow_frame.small, item.frame.planes[0].shape
        carried = Carried(np.full((*size, 2), np.float32(0.5)), np.zeros(size, np.float32))
        if self._reference is not None:
            carried = self._witnessed(small, size, field)
        contradicted = False
        if item.has_reference:
            known = item.colours[..., 2] > 0.5
            both = (carried.trust > 0.5) & known
            difference = np.abs(item.colours[..., :2] - carried.chroma).mean(axis=-1)
            contradicted = both.mean() > 0.05 and difference[both].mean() > _CONTRADICTION
            told = np.where(known[..., None], item.colours[..., :2], carried.chroma)
            carried = Carried(told.astype(np.float32), np.where(known, np.float32(1), carried.trust))
            self._reference = _Seen(small, carried)
            self._there = self._back = np.zeros((*small.shape, 2), np.float32)
        self.contradicted.append(bool(contradicted))
        self._last, self._ahead = _Seen(small, carried), _on_half(field[..., 2:], small)
        return carried

    def _witnessed(self, small: Luma, size: tuple[int, int], field: Float[np.ndarray, "hv wv 4"]) -> Carried:
        """What the reference and the frame before say, the better one counting more."""
        step = _on_half(field[..., :2], small)
        self._there = self._refined(small, self._reference.small, step + moved(self._there, step))
        self._back = self._refined(self._reference.small, small, self._back + moved(self._ahead, self._back))
        astray = np.square(self._there + moved(self._back, self._there)).sum(axis=-1) / _ASTRAY**2
        first = self._asked(self._reference, small, size, self._there, 1 / (1 + astray) ** 2)
        last = self._asked(self._last, small, size, step, FADE)
        a, b = first.trust**2 + 1e-6, (0.7 * last.trust) ** 2
        share = (a / (a + b))[..., None]
        return Carried(last.chroma + share * (first.chroma - last.chroma), np.maximum(first.trust, last.trust))

    def _refined(self, here: Luma, there: Luma, guess: Field) -> Field:
        """The guess, or where luma agrees better with it what a search from there found."""
        if min(here.shape) < SMALLEST:
            return guess
        found = self._search.calc(here, there, guess.copy())
        return np.where((_differing(here, there, found) < _differing(here, there, guess))[..., None], found, guess)

    @staticmethod
    def _asked(witness: "_Seen", small: Luma, size: tuple[int, int], way: Field, trust) -> Carried:
        """A witness's colours where a way leads, trusted as far as it is and luma agrees."""
        trust = trust * np.exp(-((_differing(small, witness.small, way, 1.0) / (255 * _MISMATCH)) ** 2))
        whole = (small.shape[1] * 2, small.shape[0] * 2)
        large = 2 * cv2.resize(way, whole, interpolation=cv2.INTER_LINEAR)[: size[0], : size[1]]
        agreed = cv2.resize(trust.astype(np.float32), whole, interpolation=cv2.INTER_LINEAR)[: size[0], : size[1]]
        return Carried(
            moved(witness.carried.chroma, large),
            agreed * moved(witness.carried.trust, large, border=cv2.BORDER_CONSTANT),
        )


@dataclasses.dataclass(frozen=True)
class _Seen:
    small: Luma
    carried: Carried


def moved(image: np.ndarray, way: Float[np.ndarray, "h w 2"], *, border: int = cv2.BORDER_REPLICATE) -> np.ndarray:
    """An image's samples from where the way leads; beyond its border the nearest, or 0."""
    y, x = np.mgrid[: way.shape[0], : way.shape[1]].astype(np.float32)
    at = x + way[..., 0], y + way[..., 1]
    return cv2.remap(image, *at, cv2.INTER_LINEAR, borderMode=border)


def _on_half(field: Float[np.ndarray, "hv wv 2"], small: Luma) -> Field:
    return 0.5 * cv2.resize(field, small.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _differing(here: Luma, there: Luma, way: Field, reach: float = 2.0) -> Float[np.ndarray, "h2 w2"]:
    """How much luma differs along a way, in 8-bit steps, over a neighbourhood of a reach in pixels."""
    return cv2.GaussianBlur(cv2.absdiff(here, moved(there, way)).astype(np.float32), (0, 0), reach)


def best_next(trust: list[float], starts: list[int]) -> int:
    """The frame whose colours would help most, given each frame's mean trust and where shots start.

    A new reference is expected to fade with the distance as the ones before it did.
    """
    values, best, most = np.asarray(trust), 0, -1.0
    for first, last in zip(starts, [*starts[1:], len(trust)]):
        shot = values[first:last]
        ratios = shot[1:][shot[:-1] > 0.05] / shot[:-1][shot[:-1] > 0.05]
        fade = float(np.clip(np.median(ratios), 0.5, FADE)) if len(ratios) else FADE
        for candidate in range(0, len(shot), max(1, len(shot) // 200)):
            offered = fade ** np.abs(np.arange(len(shot)) - candidate)
            gain = float(np.maximum(offered - shot, 0).sum())
            if gain > most:
                best, most = first + candidate, gain
    return best
