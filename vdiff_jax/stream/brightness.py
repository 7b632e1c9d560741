"""Evens out the brightness flicker of old film, and leaves fades and flashes as they are."""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.samples import luma_of
from vdiff_jax.stream.shots import change, thumbnail

CUT = 0.15
"""A change between two thumbnails, as `shots.change` has it, above which they are of different shots."""
_REACH = 10
"""Frames before and after a frame to whose brightness a curve is fitted."""
_SHORTEST = 9
"""Frames that a fit needs."""
_FLICKER = 0.005
"""Flicker of a smaller standard deviation, as a share of the brightness, is left: coding causes as much."""
_DARKEST = 0.2
"""In darker frames `_FLICKER` is a share of this brightness, not of theirs: rounding weighs more in the dark."""
_OUTLIER = 4.0
"""A change larger than this many standard deviations of the flicker is a flash or the start of a fade."""
_LARGEST_CHANGE = 0.15
"""A change larger than this share of the brightness is one too."""
_FOURTH_DIFFERENCE = np.sqrt(70) * 0.6745
"""The median size of the fourth difference of independent values with standard deviation 1."""
_STRAIGHT = 0.6
"""A line is fitted where a parabola differs from it by less than this many standard deviations of the flicker."""
_REFITS = 5


class _Measured(NamedTuple):
    """A frame (None once it is yielded), its thumbnail, its shot's number, its mean brightness above black."""

    frame: Frame | None
    small: np.ndarray
    shot: int
    mean: float


def even_brightness(frames: Iterable[Frame], pixels: PixelFormat) -> Iterator[Frame]:
    """The frames without flicker of their mean brightness; `_REACH` frames behind its input.

    Fades, flashes, cuts, and frames of shots that do not flicker stay bit for bit as they are.

    Args:
      frames: in order.
      pixels: their pixel format.
    """
    window: list[_Measured] = []
    place = 0  # of the next frame to yield
    for frame in frames:
        window.append(_measured(frame, pixels, window[-1] if window else None))
        if len(window) - place > _REACH:
            yield _evened(window, place, pixels)
            window[place] = window[place]._replace(frame=None)
            window, place = (window[1:], place) if place == _REACH else (window, place + 1)
    for rest in range(place, len(window)):
        yield _evened(window[max(0, rest - _REACH) :], min(rest, _REACH), pixels)


def _measured(frame: Frame, pixels: PixelFormat, before: _Measured | None) -> _Measured:
    luma = luma_of(frame, pixels)
    small = thumbnail(luma)
    shot = 0 if before is None else before.shot + (change(before.small, small) > CUT)
    return _Measured(frame, small, shot, max(0.0, float(luma.mean()) - _black(pixels) / pixels.peak))


def _evened(window: list[_Measured], place: int, pixels: PixelFormat) -> Frame:
    """The frame at a place of the window, scaled to the brightness that its neighbours in the shot predict."""
    here = window[place]
    assert here.frame is not None
    numbers = [number for number, other in enumerate(window) if other.shot == here.shot]
    means = np.array([window[number].mean for number in numbers])
    gain = flicker_gain(means, place - numbers[0])
    return here.frame if gain == 1 else dataclasses.replace(here.frame, planes=_scaled(here.frame.planes, gain, pixels))


def flicker_gain(means: Float[np.ndarray, " n"], place: int) -> float:
    """The factor that takes the flicker from the brightness at `place`; 1 where there is none.

    The flicker is measured by the median fourth difference: it is near 0 in a fade, and a flash or the end of a fade
    changes only few of them. The brightness without flicker is a line or a parabola, fitted robustly.

    Args:
      means: the mean brightness of successive frames of one shot, in [0, 1] above black.
      place: the index of the frame.
    """
    if len(means) < _SHORTEST:
        return 1.0
    flicker = float(np.median(np.abs(np.diff(means, 4)))) / _FOURTH_DIFFERENCE
    here = means[place]
    if flicker < _FLICKER * max(here, _DARKEST):
        return 1.0
    line, parabola = (_steady(means, place, flicker, degree) for degree in (1, 2))
    steady = line if abs(line - parabola) < _STRAIGHT * flicker else parabola
    if abs(steady - here) > min(_OUTLIER * flicker, _LARGEST_CHANGE * here):
        return 1.0
    return steady / here


def _steady(means: Float[np.ndarray, " n"], place: int, flicker: float, degree: int) -> float:
    """The polynomial's value at `place`, fitted by iteratively reweighted least squares with Huber's weights."""
    times = np.arange(len(means)) - place
    weights = np.ones(len(means))
    for _ in range(_REFITS):
        fit = np.polynomial.Polynomial.fit(times, means, degree, w=np.sqrt(weights))
        weights = np.minimum(1, flicker / np.maximum(np.abs(means - fit(times)), 1e-9))
    return float(fit(0))


def _black(pixels: PixelFormat) -> float:
    """The sample value of black."""
    return 0.0 if pixels.full_range else 16.0 * (1 << (pixels.bits - 8))


def _scaled(planes: tuple[np.ndarray, ...], gain: float, pixels: PixelFormat) -> tuple[np.ndarray, ...]:
    """The planes with luma, or R'G'B', multiplied by `gain`, counted from black."""
    black = _black(pixels)
    count = 3 if pixels.kind == "rgb" else 1

    def scaled(plane: np.ndarray) -> np.ndarray:
        if np.issubdtype(plane.dtype, np.floating):
            return plane * np.float32(gain)
        return np.clip(np.rint((plane - black) * gain + black), 0, pixels.peak).astype(plane.dtype)

    return (*(scaled(plane) for plane in planes[:count]), *planes[count:])
