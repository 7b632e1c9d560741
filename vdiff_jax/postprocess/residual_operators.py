"""The operators of repair's Wiener step: differences of the network's result, and its residual.

The residual is the frame that the network was given minus its result. Most of it is noise, but the network removes a
little of the picture too.
"""

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.differences import Around, Planes, integer_scale
from vdiff_jax.postprocess.wiener import CLASS_REACH, DIRECTIONS, classes_of
from vdiff_jax.postprocess.wiener_operators import REACH, Window, strips, windows
from vdiff_jax.preprocess.colour import from_rgb
from vdiff_jax.stream.samples import peak_sample

ACTIVITIES = (1.0, 2.0, 3.5, 6.0, 10.0)
"""Thresholds of luma's activity between classes."""
MISMATCHES = (0.7, 1.5)
"""Thresholds between classes, in expected errors: how far both neighbouring frames differ from this one."""
CLASSES = (len(ACTIVITIES) + 1) * DIRECTIONS * (len(MISMATCHES) + 1)
"""The classes of luma samples."""
LUMA_IN_SPACE, CHROMA_IN_SPACE = 17, 11
"""How many operators within the frame there are for luma and for each chroma plane."""
AT_EACH_DISTANCE = 2
"""How many there are for the frames that far before and after it."""
LUMA, CHROMA = LUMA_IN_SPACE + REACH * AT_EACH_DISTANCE, CHROMA_IN_SPACE + REACH * AT_EACH_DISTANCE
"""How many operators there are, if they look at `REACH` frames before and after."""
COLOURS = 2
"""How many more luma has if it is that of R'G'B', whose noise chroma shares."""

_NEAREST = ((0, 1), (1, 0), (1, 1), (1, -1))
_NEAR = (*_NEAREST, (0, 2), (2, 0))
"""Offsets (y, x) to a sample's neighbours; each stands for the opposite one too."""
_LIMIT, _SCALE = 3.0, 1.5
"""A limited difference in space, and one along the motion, has half its weight left at so many expected errors."""
CHROMA_LEFT = 0.4
"""The expected error of a result's chroma, as a share of luma's."""
_SHARED = 0.12
"""From this share of luma's residual on that chroma's predicts, luma and chroma share noise."""
_CACHED = 16_000
"""Samples: operators in space are computed in strips of rows that stay in the processor's cache."""
_CONVERTED = PixelFormat(kind="yuv", full_range=True)
"""The format of R'G'B' converted to Y'CbCr, as floats."""


class AlongMotion(NamedTuple):
    """What the frames around one show, in some rows of luma.

    Attributes:
      terms: the responses of luma's operators along the motion.
      mismatch: by how much the nearest frames differ, whichever of them fits better; infinite if there are none.
    """

    terms: Planes
    mismatch: Float[np.ndarray, "r w"]


class RestoredWindow(NamedTuple):
    """A restored frame with those around it.

    Attributes:
      window: its frames have the planes of the result, then those of the frame that the network was given. R'G'B' has
        been converted to Y'CbCr.
      pixels: their pixel format.
      frame: the restored frame as it came.
    """

    window: Window
    pixels: PixelFormat
    frame: Frame

    @property
    def count(self) -> int:
        """The number of the result's planes, without alpha."""
        return len(self.window.base.planes) // 2

    def cached_strips(self, index: int, rows: slice) -> Iterator[slice]:
        """Some rows of a plane in strips that are small enough for the processor's cache."""
        height = max(16, _CACHED // self.window.base.planes[index].shape[1])
        for start in range(rows.start, rows.stop, height):
            yield slice(start, min(start + height, rows.stop))

    def classes(self) -> UInt8[np.ndarray, "h w"]:
        """Each luma sample's class by activity and direction, measured on half-size luma."""
        luma = self.window.base.planes[0]
        half = cv2.resize(luma, (-(-luma.shape[1] // 2), -(-luma.shape[0] // 2)), interpolation=cv2.INTER_AREA)
        classes = np.empty(half.shape, np.uint8)
        for rows in strips(half.shape):
            seen = slice(max(rows.start - CLASS_REACH, 0), rows.stop + CLASS_REACH)
            numbers = classes_of(half[seen], self.pixels, ACTIVITIES, DIRECTIONS)
            classes[rows] = numbers[rows.start - seen.start :][: rows.stop - rows.start]
        return cv2.resize(classes, luma.shape[::-1], interpolation=cv2.INTER_NEAREST)

    def along_motion(self, rows: slice, left: float) -> AlongMotion:
        """What the frames around this one show in some rows of luma; `left` is the result's expected error."""
        seen, own = self.window.with_context(0, rows)
        here = integer_scale(self.window.base.planes[0][seen], self.pixels)
        found = AlongMotion([], np.full_like(here[own], np.inf))
        for distance in range(1, self.window.reach + 1):
            others = self.window.neighbours(0, seen, distance)
            differences = [other - here for other in others]
            sizes = [cv2.blur(np.abs(difference), (5, 5))[own] for difference in differences]
            if distance == 1 and sizes:
                found = found._replace(mismatch=np.minimum.reduce(sizes))
            weights = [1 / (1 + np.square(size * np.float32(1 / (_SCALE * left)))) for size in sizes]
            found.terms.append(_dot(weights, [d[own] for d in differences], here[own]))
            given = self.window.neighbours(self.count, seen, distance, cv2.INTER_LINEAR)
            found.terms.append(_dot(weights, [(a - b)[own] for a, b in zip(given, others)], here[own]))
        return found

    def luma(
        self, rows: slice, left: float, around: AlongMotion, classes: UInt8[np.ndarray, "h w"], first: int = 0
    ) -> tuple[Planes, UInt8[np.ndarray, "r w"]]:
        """The responses of luma's operators in some rows, and the samples' classes.

        Args:
          rows: of luma.
          left: the expected error of the network's result, in samples.
          around: from `along_motion`, for these rows and perhaps others.
          classes: from `classes`.
          first: the first row of `around`.
        """
        within = slice(rows.start - first, rows.stop - first)
        result, residual = Around(self.window.base.planes[0], rows, self.pixels), self._residual(0, rows)
        terms = result.second_differences(_NEAR) + result.limited_differences(_NEAREST, _LIMIT * left)
        terms += [residual.sample(), *residual.sums(_NEAR), *(term[within] for term in around.terms)]
        if self.pixels is _CONVERTED:
            terms += [self._residual(index, rows).sample() for index in (1, 2)]
        mismatch = around.mismatch[within]
        fit = sum((mismatch > threshold * left).astype(np.uint8) for threshold in MISMATCHES)
        return terms, np.uint8(len(MISMATCHES) + 1) * classes[rows] + fit

    def noise_is_shared(self) -> bool:
        """Whether chroma's residual tells of luma's: it predicts a fourth of white noise, and nothing of grain."""
        planes = [plane[2::4, 2::4].astype(np.float32).ravel() for plane in self.window.base.planes]
        luma, *chroma = (given - result for result, given in zip(planes, planes[self.count :]))
        products = np.stack(chroma) @ np.stack([*chroma, luma]).T / luma.size
        gram, cross = products[:, :-1], products[:, -1]
        predicted = cross @ np.linalg.pinv(gram, hermitian=True) @ cross
        return bool(predicted > _SHARED * np.mean(np.square(luma)))

    def chroma(self, index: int, rows: slice) -> Planes:
        """The responses of chroma's operators in some rows of plane `index`, but for those along the motion."""
        result, residual = Around(self.window.base.planes[index], rows, self.pixels), self._residual(index, rows)
        return [*result.second_differences(_NEAR), residual.sample(), *residual.sums(_NEAREST)]

    def chroma_along_motion(self, index: int, rows: slice, left: float) -> Planes:
        """The responses of chroma's operators along the motion; `left` is the expected error of the result's luma."""
        return self.window.differences_along_motion(index, rows, CHROMA_LEFT * left)

    def _residual(self, index: int, rows: slice) -> Around:
        planes = self.window.base.planes
        return Around(planes[self.count + index], rows, self.pixels, minus=planes[index])


def restored_windows(frames: Iterable[Frame], pixels: PixelFormat, reach: int = REACH) -> Iterator[RestoredWindow]:
    """Each restored frame with those of its shot around it; `reach` frames behind.

    Args:
      frames: restored frames, with the planes that they were made from.
      pixels: their pixel format.
      reach: frames before and after each frame.
    """
    rgb = pixels.kind == "rgb"
    inner = _CONVERTED if rgb else dataclasses.replace(pixels, alpha=False)
    waiting: deque[Frame] = deque()

    def paired() -> Iterator[Frame]:
        for frame in frames:
            waiting.append(frame)
            count = len(frame.planes) - pixels.alpha
            parts = (frame.planes[:count], frame.given[:count])
            planes = [plane for part in parts for plane in (converted(part, pixels) if rgb else part)]
            yield Frame(tuple(planes), frame.pts, starts_shot=frame.starts_shot)

    for window in windows(*itertools.tee(paired()), inner, reach=reach):
        yield RestoredWindow(window, inner, waiting.popleft())


def converted(planes: Sequence[np.ndarray], pixels: PixelFormat) -> Planes:
    """R', G' and B' as Y'CbCr in [0, 1], with neutral chroma at 0."""
    unit = np.float32(1 / peak_sample(planes[0], pixels))
    red, green, blue = (plane.astype(np.float32) for plane in planes)
    return [unit * (a * red + b * green + c * blue) for a, b, c in from_rgb("bt601")]


def _dot(weights: Planes, values: Planes, like: np.ndarray) -> Float[np.ndarray, "r w"]:
    """The sum of the values, weighted; zeros if there are none."""
    products = [weight * value for weight, value in zip(weights, values)]
    return sum(products[1:], start=products[0]) if products else np.zeros_like(like)
