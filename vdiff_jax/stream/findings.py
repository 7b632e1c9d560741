"""What a video's first frames show besides noise: grey, fields, black bars, repeated frames, damage of old film.

Each function takes few frames and is cheap. The thresholds leave a margin to what clean clips of many kinds reach.
"""

import functools
import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.colour import from_rgb
from vdiff_jax.stream.brightness import CUT, even_brightness
from vdiff_jax.stream.film import damage_mask
from vdiff_jax.stream.samples import luma_of, peak_sample
from vdiff_jax.stream.shots import change, thumbnail

Luma = Float[np.ndarray, "h w"]

_COLOURLESS = 0.75 / 255
"""Chroma whose mean distance from its median is below this is only a tint. Grey asphalt reaches 0.89, old film 0.61."""
_MOVED = 8 / 255
"""Luma has moved where it changes by more than this from frame to frame."""
_STANDS_OUT = 12 / 255
"""A row of a field that moved differs by at least this from both neighbouring rows."""
_MOVING = 0.005
"""The share of the pixels that must move for fields to show."""
_COMBED, _FINER = 0.05, 1.3
"""Fields are seen where this share of the moving pixels stand out from the rows beside them, and this many times as
many as stand out from the rows two away, which belong to the same field. Clean clips reach 0.57 times."""
_BLACK, _LIT = 0.03, 0.06
"""Above black, in [0, 1]: a bar is nowhere brighter than the first, and the picture beside it is brighter than the
second."""
_BAR = 0.02
"""The least share of the picture's side that a bar takes, at both ends."""
_SAME, _CHANGED = 4 / 255, 4.0
"""A frame repeats the one before if no patch changes by more than this, and at least that many times as much in the
changes before and after it."""
_PATCH = 16
_REPEATS = 3
"""The least number of evenly spaced repeats."""
_TALLEST = 480
"""Damage is sought in frames of at most this height."""
_TRIED = 10
"""Frames that damage is sought in."""
_DAMAGED = 1.5e-4
"""The mean share of damaged pixels of old film; Chaplin's clip has less, but repeats frames."""
_FLICKERING = 3
"""Old film flickers in at least this many of the first frames."""


def is_grey(frames: Sequence[Frame], pixels: PixelFormat) -> bool:
    """Whether a video has no colours but one tint, such as sepia."""
    if pixels.kind == "gray":
        return True
    for frame in (frames[0], frames[len(frames) // 2], frames[-1]):
        planes = [np.asarray(plane, np.float32) / peak_sample(plane, pixels) for plane in frame.planes[:3]]
        if pixels.kind == "rgb":
            planes = np.tensordot(from_rgb("bt601").astype(np.float32), planes, axes=1)
        if max(np.abs(plane - np.median(plane)).mean() for plane in planes[1:]) > _COLOURLESS:
            return False
    return True


def is_combed(lumas: Sequence[Luma]) -> bool:
    """Whether moving edges look like combs, because each frame consists of two fields of different times."""
    found = []
    for before, here in itertools.pairwise(lumas):
        moved = np.abs(here - before)[2:-2] > _MOVED
        if moved.mean() < _MOVING:
            continue
        near, far = (np.sum(moved & _stands_out(here, rows)) for rows in (1, 2))
        found.append(near > _COMBED * moved.sum() and near > _FINER * far)
    return len(found) > 1 and bool(np.mean(found) > 0.5)


def _stands_out(luma: Luma, rows: int) -> np.ndarray:
    """Where a sample is lighter, or darker, than both samples `rows` rows away; without two rows at each end."""
    height = luma.shape[0]
    here, above, below = luma[2:-2], luma[2 - rows : height - 2 - rows], luma[2 + rows : height - 2 + rows]
    return np.maximum(np.minimum(here - above, here - below), np.minimum(above - here, below - here)) > _STANDS_OUT


def black_bars(lumas: Sequence[Luma], black: float) -> tuple[int, int, int, int]:
    """The rows above and below, and the columns left and right, that are black in all frames; 0 where there are none.

    Args:
      lumas: of the frames.
      black: the value of black in luma.
    """
    brightest = functools.reduce(np.maximum, (cv2.blur(luma, (3, 3)) for luma in lumas)) - np.float32(black)
    return (*_ends(brightest), *_ends(brightest.T))


def _ends(brightest: Luma) -> tuple[int, int]:
    """The rows of the bars at both ends."""
    lit = np.flatnonzero(np.percentile(brightest, 95, axis=1) > _BLACK)
    if not len(lit):
        return 0, 0
    first, last = int(lit[0]), int(lit[-1])
    least = max(4, _BAR * len(brightest))
    inside = [np.median(brightest[row]) for row in (min(first + 3, last), max(last - 3, first))]
    if min(first, len(brightest) - 1 - last) < least or min(inside) < _LIT:
        return 0, 0
    return first, len(brightest) - 1 - last


def repeats(lumas: Sequence[Luma]) -> int:
    """Of how many frames one repeats the frame before, at regular intervals while something moves; 0 if none does."""
    height, width = lumas[0].shape
    size = max(1, width // _PATCH), max(1, height // _PATCH)
    small = [cv2.resize(luma, size, interpolation=cv2.INTER_AREA) for luma in lumas]
    changes = [float(np.abs(b - a).max()) for a, b in itertools.pairwise(small)]
    places = [
        n
        for n in range(1, len(changes) - 1)
        if changes[n] <= _SAME and min(changes[n - 1], changes[n + 1]) > max(_MOVED, _CHANGED * changes[n])
    ]
    gaps = np.diff(places)
    if len(places) < _REPEATS or np.ptp(gaps) > 1:
        return 0
    return round(float(gaps.mean()))


def is_old_film(frames: Sequence[Frame], pixels: PixelFormat) -> bool:
    """Whether a grey video flickers, has dust or scratches, or repeats frames, as transferred silent film does."""
    if not is_grey(frames, pixels):
        return False
    lumas = [luma_of(frame, pixels) for frame in frames]
    evened = even_brightness(frames, pixels)
    flickering = sum(new is not old for new, old in zip(evened, frames))
    return flickering >= _FLICKERING or repeats(lumas) > 1 or _damage(lumas) > _DAMAGED


def _damage(lumas: Sequence[Luma]) -> float:
    """The mean share of damaged pixels in some of the frames."""
    height, width = lumas[0].shape
    if height > _TALLEST:
        size = round(width * _TALLEST / height), _TALLEST
        lumas = [cv2.resize(luma, size, interpolation=cv2.INTER_AREA) for luma in lumas]
    shares = []
    for n in range(1, len(lumas) - 1, max(1, (len(lumas) - 2) // _TRIED)):
        before, here, after = lumas[n - 1 : n + 2]
        if max(change(*map(thumbnail, pair)) for pair in ((before, here), (here, after))) < CUT:
            shares.append(damage_mask(before, here, after).mean())
    return float(np.mean(shares)) if shares else 0.0
