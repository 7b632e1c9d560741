"""Tracks a reference picture's colours through the frames after it, with a confidence for each pixel."""

import dataclasses

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.chunks import Chunk
from vdiff_jax.stream.dis import TRACKING, make_dis
from vdiff_jax.stream.flow import SMALLEST
from vdiff_jax.stream.warp import warp

FADE = 0.99
"""Confidence is multiplied by this from each frame to the next, and by less where luma differs."""
_LUMA_TOLERANCE = 0.04
"""A difference of luma, in [0, 1], at which confidence falls to 1/e: probably the two pixels are of two objects."""
_LOOP_TOLERANCE = 1.5
"""The forward-backward error, in half-size pixels, at which confidence falls to a quarter."""
_CONTRADICTION = 0.08
"""References contradict each other if their chroma differs by more than this in the mean, in [0, 1]."""

HalfFlow = Float[np.ndarray, "h2 w2 2"]
"""Displacements (x, y) in half-size pixels."""
HalfLuma = UInt8[np.ndarray, "h2 w2"]


@dataclasses.dataclass(frozen=True)
class TrackedColours:
    """Colours that were tracked to a frame.

    Attributes:
      chroma: Cb and Cr in [0, 1].
      confidence: the confidence that they are right, 0 to 1.
    """

    chroma: Float[np.ndarray, "h w 2"]
    confidence: Float[np.ndarray, "h w"]

    @property
    def nbytes(self) -> int:
        """The memory that both arrays take, in bytes."""
        return self.chroma.nbytes + self.confidence.nbytes


@dataclasses.dataclass(frozen=True)
class _Source:
    """A frame that colours are taken from: its half-size luma and its colours."""

    small: HalfLuma
    colours: TrackedColours


class ColourTracker:
    """Tracks references' colours along the optical flow, chunk by chunk.

    Each pixel takes its colour from two sources. One is the reference: the flow to it is summed up frame by frame and
    refined by a direct search, so it neither drifts nor blurs. The other is the frame before, which still has the
    colours of objects that have turned or changed in brightness since the reference. Confidence in a source is high
    where its luma agrees. The reference must also pass a forward-backward check of the flow.
    """

    def __init__(self) -> None:
        self._search = make_dis(TRACKING)
        self._reference: _Source | None = None
        self._previous: _Source | None = None
        self._to_reference = self._from_reference = self._to_next = None
        self.contradicted: list[bool] = []
        """For each frame of the last chunk, whether its reference contradicts the colours tracked from others."""

    def __call__(self, chunk: Chunk) -> list[TrackedColours]:
        """The colours of each frame of a chunk; chunks come in order."""
        if chunk.starts_shot:
            self._reference = self._previous = None
        self.contradicted = []
        return [self._track(item, field) for item, field in zip(chunk.analysed, chunk.velocity)]

    def _track(self, item: AnalysedFrame, field: Float[np.ndarray, "hv wv 4"]) -> TrackedColours:
        small, size = item.flow_frame.small, item.frame.planes[0].shape
        colours = TrackedColours(np.full((*size, 2), np.float32(0.5)), np.zeros(size, np.float32))
        if self._reference is not None:
            colours = self._from_sources(small, size, field)
        contradicted = False
        if item.has_reference:
            contradicted = _contradicts(item.colours, colours)
            known = item.colours[..., 2] > 0.5
            chroma = np.where(known[..., None], item.colours[..., :2], colours.chroma)
            colours = TrackedColours(chroma.astype(np.float32), np.where(known, np.float32(1), colours.confidence))
            self._reference = _Source(small, colours)
            self._to_reference = self._from_reference = np.zeros((*small.shape, 2), np.float32)
        self.contradicted.append(contradicted)
        self._previous, self._to_next = _Source(small, colours), _half_flow(field[..., 2:], small)
        return colours

    def _from_sources(
        self, small: HalfLuma, size: tuple[int, int], field: Float[np.ndarray, "hv wv 4"]
    ) -> TrackedColours:
        """The colours of the reference and of the frame before, weighted by confidence."""
        to_previous, reference = _half_flow(field[..., :2], small), self._reference
        self._to_reference = self._refined(small, reference.small, to_previous + warp(self._to_reference, to_previous))
        guess = self._from_reference + warp(self._to_next, self._from_reference)
        self._from_reference = self._refined(reference.small, small, guess)
        loop = self._to_reference + warp(self._from_reference, self._to_reference)
        loop_error = np.square(loop).sum(axis=-1) / _LOOP_TOLERANCE**2
        first = _fetch(reference, small, size, self._to_reference, 1 / (1 + loop_error) ** 2)
        previous = _fetch(self._previous, small, size, to_previous, FADE)
        a, b = first.confidence**2 + 1e-6, (0.7 * previous.confidence) ** 2
        weight = (a / (a + b))[..., None]
        return TrackedColours(
            previous.chroma + weight * (first.chroma - previous.chroma),
            np.maximum(first.confidence, previous.confidence),
        )

    def _refined(self, here: HalfLuma, there: HalfLuma, guess: HalfFlow) -> HalfFlow:
        """The guessed flow, replaced at each pixel by that of a search from it if luma then agrees better."""
        if min(here.shape) < SMALLEST:
            return guess
        found = self._search.calc(here, there, guess.copy())
        better = _luma_difference(here, there, found) < _luma_difference(here, there, guess)
        return np.where(better[..., None], found, guess)


def _contradicts(reference: Float[np.ndarray, "h w 3"], tracked: TrackedColours) -> bool:
    """Whether a frame's own reference has other colours than those tracked from earlier references."""
    both = (tracked.confidence > 0.5) & (reference[..., 2] > 0.5)
    difference = np.abs(reference[..., :2] - tracked.chroma).mean(axis=-1)
    return bool(both.mean() > 0.05 and difference[both].mean() > _CONTRADICTION)


def _fetch(
    source: _Source,
    small: HalfLuma,
    size: tuple[int, int],
    flow: HalfFlow,
    confidence: Float[np.ndarray, "h2 w2"] | float,
) -> TrackedColours:
    """A source's colours along a flow, with less confidence where luma differs."""
    confidence = confidence * np.exp(
        -((_luma_difference(small, source.small, flow, 1.0) / (255 * _LUMA_TOLERANCE)) ** 2)
    )
    full = (small.shape[1] * 2, small.shape[0] * 2)
    large = 2 * cv2.resize(flow, full, interpolation=cv2.INTER_LINEAR)[: size[0], : size[1]]
    agreed = cv2.resize(confidence.astype(np.float32), full, interpolation=cv2.INTER_LINEAR)[: size[0], : size[1]]
    return TrackedColours(
        warp(source.colours.chroma, large),
        agreed * warp(source.colours.confidence, large, border=cv2.BORDER_CONSTANT),
    )


def _half_flow(field: Float[np.ndarray, "hv wv 2"], small: HalfLuma) -> HalfFlow:
    """A field on the velocity grid, in full-size pixels, as a flow of the half-size picture."""
    return 0.5 * cv2.resize(field, small.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _luma_difference(here: HalfLuma, there: HalfLuma, flow: HalfFlow, sigma: float = 2.0) -> Float[np.ndarray, "h2 w2"]:
    """The absolute difference of luma along a flow, in 8-bit units, averaged over a Gaussian of `sigma` pixels."""
    return cv2.GaussianBlur(cv2.absdiff(here, warp(there, flow)).astype(np.float32), (0, 0), sigma)


def best_next_reference(confidence: list[float], starts: list[int]) -> int:
    """The number of the frame for which another reference would help most.

    It assumes that confidence fades around a new reference as it did in the shot so far.

    Args:
      confidence: the mean confidence of each frame.
      starts: the numbers of the frames that start a shot.
    """
    values, best, most = np.asarray(confidence), 0, -1.0
    for first, last in zip(starts, [*starts[1:], len(confidence)]):
        shot = values[first:last]
        ratios = shot[1:][shot[:-1] > 0.05] / shot[:-1][shot[:-1] > 0.05]
        fade = float(np.clip(np.median(ratios), 0.5, FADE)) if len(ratios) else FADE
        for candidate in range(0, len(shot), max(1, len(shot) // 200)):
            expected = fade ** np.abs(np.arange(len(shot)) - candidate)
            gain = float(np.maximum(expected - shot, 0).sum())
            if gain > most:
                best, most = first + candidate, gain
    return best
