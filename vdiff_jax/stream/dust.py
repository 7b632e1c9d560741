"""Dust, dirt and drop-outs: spots that one frame shows and neither of its neighbours.

Each frame is predicted from both neighbours along the optical flow. Pixels that both predictions miss are candidates. A
connected spot of them counts as damage if everything around it is predicted well, the neighbours agree on what it
hides, and neither neighbour shows it at another place. These tests tell fast objects and moving shadows from dust.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.stream.flow import Field, FlowFrame, MotionMeter
from vdiff_jax.stream.warp import warp

SPIKE = 0.05
"""A candidate differs by more than this, in [0, 1], from its surroundings in both neighbouring frames."""
TEXTURE = 0.2
"""The same threshold rises by this share of the local contrast: fine detail flickers as it moves."""
SMALLEST, SMALL = 3, 6
"""Pixels. A spot of fewer than the first counts as fine detail. Around a spot of fewer than the second, the prediction
must be better."""
CROWDED = 0.15
"""A larger share of candidates around a spot means that the flow failed there."""
MISPREDICTED = 0.38
"""The largest error of the prediction around a spot, as a share of the spot's height."""
PLAIN, DOUBTFUL = 0.15, 0.2
"""With a smaller error than the first a candidate is most likely dust. With a larger one than the second it most likely
is not, and those around it are trusted less."""
_NEIGHBOURHOOD = 50
"""Candidates up to this many pixels apart are neighbours."""
_FEW = 2
"""With this many doubtful neighbours, the error counts 1.4 times as much."""
SEEN_ELSEWHERE, SURELY_SEEN = 0.6, 0.45
"""A neighbour shows a spot at another place if its difference there is below the first share of the difference from the
prediction. For a plain candidate, the second: dust may happen to look like something else."""
SEEN_IN_ONE = 0.75
"""A neighbour also shows it if its share is below this fraction of the other neighbour's: dust matches neither."""
_REACH, _LEAST_REACH = 1 / 16, 32
"""How far an object may move between two frames relative to what is around it: a share of the picture's width, and at
least so many pixels."""
_CROWD_WINDOW = (49, 49)
_CONTRAST_WINDOW = (9, 9)
_NEAREST = np.ones((3, 3), np.uint8)
_EDGE = np.ones((5, 5), np.uint8)
"""What is next to a spot may be a part of it."""
_AROUND = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))
"""Up to this far from a spot the prediction is checked."""
_MATCHED = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
"""So much around a spot is searched for together with it."""
_BORDER = 2
"""A thinner spot at the picture's border is what has just come into view."""
_MARGIN = 6
_SOFT_EDGE = 0.3
"""A spot's soft edge is a part of it down to this share of its height."""

Luma = Float[np.ndarray, "h w"]


class _Prediction(NamedTuple):
    """A frame as both neighbours predict it, and the displacements to them in pixels."""

    sides: tuple[Luma, Luma]
    flows: tuple[Float[np.ndarray, "h w 2"], Float[np.ndarray, "h w 2"]]


class _Spot(NamedTuple):
    """A connected group of candidates.

    Attributes:
      box: rows and columns of its surroundings.
      inside: True at its pixels, in the box.
      clear: True in the box where there is no other candidate.
      height: how much it exceeds both predictions.
      sign: 1 if it is lighter than they, -1 if it is darker.
    """

    box: tuple[slice, slice]
    inside: Bool[np.ndarray, "hb wb"]
    clear: Bool[np.ndarray, "hb wb"]
    height: float
    sign: int

    @property
    def middle(self) -> tuple[int, int]:
        """The row and the column of its centre, in the picture."""
        row, column = (int(places.mean()) for places in np.nonzero(self.inside))
        return int(self.box[0].start) + row, int(self.box[1].start) + column

    def grown(self, kernel: np.ndarray) -> Bool[np.ndarray, "hb wb"]:
        """The spot dilated by a kernel."""
        return cv2.dilate(self.inside.astype(np.uint8), kernel).astype(bool)


def spots(before: Luma, here: Luma, after: Luma) -> Bool[np.ndarray, "h w"]:
    """Where a frame has spots of dust or dirt.

    Args:
      before, here, after: the luma of the frame and of its neighbours, in [0, 1].

    Source: the rank-order difference detector (Nadenau and Mitra, 1997) with the SDIa's condition (Kokaram, 1998) finds
      the candidates.
    """
    predictions = _predictions(before, here, after)
    found = np.zeros(here.shape, bool)
    candidates = list(_candidates(here, predictions))
    errors = np.array([_prediction_error(spot, here, predictions) for spot in candidates])
    for spot, error in zip(candidates, errors * _doubt(candidates, errors)):
        if error < MISPREDICTED:
            best, other = _seen_elsewhere(spot, before, here, after, predictions)
            if best > (SURELY_SEEN if error < PLAIN else max(SEEN_ELSEWHERE, SEEN_IN_ONE * other)):
                found[spot.box] |= _with_soft_edge(spot, here, predictions)
    return found


def _predictions(before: Luma, here: Luma, after: Luma) -> list[_Prediction]:
    """Predictions along the frame's own flow, and along that between its neighbours, which its dust cannot mislead."""
    meter = MotionMeter()
    frames = [FlowFrame.from_luma(_padded(luma), time=number) for number, luma in enumerate((before, here, after))]
    across = meter.displacement(frames[0], frames[2])
    path = warp(across, -0.5 * across / VELOCITY_GRID)
    fields = [
        (meter.displacement(frames[1], frames[0]), meter.displacement(frames[1], frames[2])),
        (-0.5 * path, 0.5 * path),
    ]
    flows = [(_at_size(back, here.shape), _at_size(ahead, here.shape)) for back, ahead in fields]
    return [_Prediction((warp(before, back), warp(after, ahead)), (back, ahead)) for back, ahead in flows]


def _padded(luma: Luma) -> Float[np.ndarray, "hp wp"]:
    height, width = luma.shape
    return cv2.copyMakeBorder(luma, 0, -height % VELOCITY_GRID, 0, -width % VELOCITY_GRID, cv2.BORDER_REPLICATE)


def _at_size(field: Field, size: tuple[int, int]) -> Float[np.ndarray, "h w 2"]:
    height, width = size
    whole = (width + -width % VELOCITY_GRID, height + -height % VELOCITY_GRID)
    return cv2.resize(field, whole, interpolation=cv2.INTER_LINEAR)[:height, :width]


def _candidates(here: Luma, predictions: list[_Prediction]) -> Iterator[_Spot]:
    """The connected groups of pixels that both predictions miss, where they are not crowded."""
    ranges = [_range(prediction) for prediction in predictions]
    lighter = np.min([here - lightest for _, lightest in ranges], axis=0)
    darker = np.min([darkest - here for darkest, _ in ranges], axis=0)
    height = np.maximum(lighter, darker)
    contrast = cv2.blur(np.min([lightest - darkest for darkest, lightest in ranges], axis=0), _CONTRAST_WINDOW)
    spikes = (height > SPIKE + TEXTURE * contrast).astype(np.uint8)
    crowd = cv2.blur(spikes.astype(np.float32), _CROWD_WINDOW)
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(spikes, connectivity=8)
    for label in range(1, count):
        left, top, width, tall, area = map(int, statistics[label])
        if area < SMALLEST:
            continue
        box = (
            slice(max(top - _MARGIN, 0), top + tall + _MARGIN),
            slice(max(left - _MARGIN, 0), left + width + _MARGIN),
        )
        inside = labels[box] == label
        at_border = left == 0 or top == 0 or left + width == here.shape[1] or top + tall == here.shape[0]
        if at_border and min(width, tall) <= _BORDER:
            continue
        if crowd[box][inside].mean() > CROWDED:
            continue
        others = ((labels[box] > 0) & ~inside).astype(np.uint8)
        sign = 1 if lighter[box][inside].sum() > darker[box][inside].sum() else -1
        clear = cv2.dilate(others, _EDGE) == 0
        yield _Spot(box, inside, clear, float(np.median(height[box][inside])), sign)


def _range(prediction: _Prediction) -> tuple[Luma, Luma]:
    """The darkest and the lightest of the 3×3 pixels around each place in both neighbours."""
    darkest = np.minimum(*(cv2.erode(side, _NEAREST) for side in prediction.sides))
    return darkest, np.maximum(*(cv2.dilate(side, _NEAREST) for side in prediction.sides))


def _prediction_error(spot: _Spot, here: Luma, predictions: list[_Prediction]) -> float:
    """How badly both neighbours predict what is around a spot, and how much they differ under it.

    The geometric mean of both errors (RMS), as a share of the spot's height; more for a spot of few pixels.
    """
    near = spot.grown(_EDGE)
    ring = spot.grown(_AROUND) & ~near
    shown = here[spot.box]
    around = apart = np.inf
    for prediction in predictions:
        back, ahead = (side[spot.box] for side in prediction.sides)
        around = min(around, max(_rms((shown - side)[ring]) for side in (back, ahead)))
        apart = min(apart, _rms((back - ahead)[near]))
    return np.sqrt(around * apart) / spot.height / min(1.0, spot.inside.sum() / SMALL)


def _rms(values: Float[np.ndarray, " n"]) -> float:
    return float(np.sqrt(np.square(values).mean()))


def _doubt(candidates: list[_Spot], errors: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The factor by which each candidate's error counts, because of doubtful ones near it."""
    places = np.array([spot.middle for spot in candidates], np.float32).reshape(-1, 2)
    doubtful = errors > DOUBTFUL
    counts = [
        np.sum(np.linalg.norm(places[doubtful] - place, axis=-1) < _NEIGHBOURHOOD) - own
        for place, own in zip(places, doubtful)
    ]
    return np.sqrt(1 + np.array(counts) / _FEW)


def _seen_elsewhere(
    spot: _Spot, before: Luma, here: Luma, after: Luma, predictions: list[_Prediction]
) -> tuple[float, float]:
    """How little each neighbour differs from a spot at the place where it matches best; the smaller value first.

    The difference (RMS) is relative to that from the prediction: 0 where the neighbour shows the same thing.
    """
    weights = spot.grown(_MATCHED).astype(np.float32)
    shown = here[spot.box]
    predicted = min(
        float(np.square(shown - side[spot.box])[weights > 0].mean())
        for prediction in predictions
        for side in prediction.sides
    )
    least = [
        _least_difference(shown, weights, other, (spot.box[0].start, spot.box[1].start), flow[spot.middle])
        for other, flow in zip((before, after), predictions[1].flows)
    ]
    best, other = sorted(np.sqrt(np.array(least) / predicted))
    return float(best), float(other if np.isfinite(other) else best)


def _least_difference(
    shown: Float[np.ndarray, "hb wb"],
    weights: Float[np.ndarray, "hb wb"],
    other: Luma,
    corner: tuple[int, int],
    motion: Float[np.ndarray, "2"],
) -> float:
    """The mean squared difference of a picture's part and its best match in another picture.

    Args:
      shown: the part.
      weights: 1 where it is compared, else 0.
      other: the other picture.
      corner: the part's first row and column.
      motion: the displacement (x, y) around which it is searched.
    """
    reach = max(_LEAST_REACH, round(_REACH * other.shape[1]))
    top, left = corner[0] + round(float(motion[1])), corner[1] + round(float(motion[0]))
    rows, columns = (
        slice(int(np.clip(first - reach, 0, length - size)), max(0, min(first + reach + size, length)))
        for first, size, length in zip((top, left), shown.shape, other.shape)
    )
    window = other[rows, columns]
    if window.shape[0] < shown.shape[0] or window.shape[1] < shown.shape[1]:
        return np.inf
    return max(0.0, float(cv2.matchTemplate(window, shown, cv2.TM_SQDIFF, mask=weights).min()) / float(weights.sum()))


def _with_soft_edge(spot: _Spot, here: Luma, predictions: list[_Prediction]) -> Bool[np.ndarray, "hb wb"]:
    """The spot and the pixels near it that differ from the prediction in the same direction."""
    if spot.inside.sum() < SMALL:  # all masks are grown a little anyway
        return spot.inside
    nearest = np.min([spot.sign * (here[spot.box] - side[spot.box]) for side in predictions[1].sides], axis=0)
    return spot.inside | (spot.grown(_EDGE) & spot.clear & (nearest > _SOFT_EDGE * spot.height))
