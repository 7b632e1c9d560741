"""The operators of the Wiener step: differences in space, and along the motion, computed in strips of rows."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float, Int16, UInt8, UInt16

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.differences import REACH_IN_SPACE, Around, Planes, integer_scale
from vdiff_jax.postprocess.half_flow import HalfFlow, enlarged, grid, half_size, measured
from vdiff_jax.stream.dis import WIENER, make_dis
from vdiff_jax.stream.warp import inverted

REACH, FAR_REACH = 2, 4
"""Frames before and after a frame that its result depends on: by default, and in a step that has more time."""
_SCALES = (0.5, 1.5)
"""One operator each. A difference along the motion of this many expected errors gets half of the full weight."""
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))
_FARTHER = ((1, 2), (2, 1), (1, -2), (2, -1), (0, 3), (3, 0))
"""Offsets (y, x) to a sample's neighbours; each stands for the opposite one too."""
_NEAREST = _NEIGHBOURS[:4]
_LIMITS = (1.0, 3.0)
"""One limited difference each to every nearest neighbour. A difference of this many expected errors is halved."""
ALONG_MOTION = REACH * len(_SCALES)
"""How many operators are differences along the motion."""
OPERATORS = len(_NEIGHBOURS) + ALONG_MOTION + 1
"""How many operators there are for every plane; the last one is the network's change."""
LUMA_OPERATORS = len(_FARTHER) + len(_NEAREST) * len(_LIMITS) + OPERATORS
"""How many luma may have: those for farther neighbours, and limited differences, come before the others."""
_CUBIC = 3
"""Rows around a point that cubic interpolation takes, at most."""
_STRIP = 250_000
"""Pixels: the operators' responses to larger frames are computed in strips of rows, which bounds their memory."""


Points = tuple[Int16[np.ndarray, "r w 2"], UInt16[np.ndarray, "r w"]]
"""Points (x, y) as OpenCV's `remap` takes them: whole samples, and fractions in steps of 1/32."""


@dataclasses.dataclass
class _WindowFrame:
    """A frame in memory.

    Attributes:
      plain: as it was decoded.
      restored: the network's result.
      base: the one of the two that the operators act on.
      small: its half-size luma.
      backward, forward: the flow to the frame before and after; `None` where there is none, or it is no longer needed.
        Only the one forward is measured. The one backward is its inverse.
    """

    plain: Frame
    restored: Frame
    base: Frame
    small: UInt8[np.ndarray, "h2 w2"]
    backward: HalfFlow | None = None
    forward: HalfFlow | None = None


class Window:
    """A frame with those around it, from which the operators' responses follow.

    Attributes:
      plain, restored: the frame as it was decoded, and the network's result.
      base: the one of the two that the operators act on.
      reach: frames before and after it that the operators look at.
    """

    def __init__(
        self,
        frames: Sequence[_WindowFrame],
        current: int,
        pixels: PixelFormat,
        reach: int,
        meter: cv2.DISOpticalFlow | None,
    ):
        here = frames[current]
        self.plain, self.restored, self.base = here.plain, here.restored, here.base
        self.reach = reach
        self._frames, self._current, self._pixels = frames, current, pixels
        self._meter, self._measured = meter, {}  # measures the flow to each frame, which is more exact than a path
        self._place, self._kept = None, {}  # the points of the rows that were asked for last

    @property
    def count(self) -> int:
        """The number of planes without alpha."""
        return len(self.plain.planes) - self._pixels.alpha

    def strips(self, index: int) -> list[slice]:
        """The rows of a plane, in strips of at most about `_STRIP` pixels."""
        return strips(self.plain.planes[index].shape)

    def responses(self, index: int, rows: slice, sigma: float, operators: int = OPERATORS) -> Planes:
        """The operators' responses for some rows of a plane.

        Args:
          index: of the plane.
          rows: of the plane.
          sigma: the expected error of the plane, in samples.
          operators: `LUMA_OPERATORS` for all of them; `OPERATORS` for the last ones, which are cheaper.
        """
        pixels = self._pixels
        around = Around(self.base.planes[index], rows, pixels)
        terms = around.second_differences(_NEIGHBOURS)
        if operators > OPERATORS:
            limited = [term for limit in _LIMITS for term in around.limited_differences(_NEAREST, limit * sigma)]
            terms = [*around.second_differences(_FARTHER), *limited, *terms]
        terms += self.differences_along_motion(index, rows, sigma)
        change = integer_scale(self.restored.planes[index][rows], pixels) - integer_scale(
            self.plain.planes[index][rows], pixels
        )
        return [*terms, change]

    def differences_along_motion(self, index: int, rows: slice, sigma: float) -> Planes:
        """Some rows' differences to the frames around, two terms a distance; arguments as those of `responses`."""
        seen, own = self.with_context(index, rows)
        here, terms = integer_scale(self.base.planes[index][seen], self._pixels), []
        for distance in range(1, self.reach + 1):
            differences = [neighbour - here for neighbour in self.neighbours(index, seen, distance)]
            squares = [np.square(cv2.blur(np.abs(difference), (5, 5))[own]) for difference in differences]
            for scale in _SCALES:
                inverse = np.float32(max(scale * sigma, 1e-3) ** -2)
                parts = [d[own] / (1 + inverse * square) for d, square in zip(differences, squares)]
                terms.append(sum(parts) if parts else np.zeros_like(here[own]))
        return terms

    def with_context(self, index: int, rows: slice) -> tuple[slice, slice]:
        """Some rows of a plane with those around them that responses depend on, and where the rows are among these."""
        seen = slice(max(rows.start - REACH_IN_SPACE, 0), min(rows.stop + REACH_IN_SPACE, len(self.base.planes[index])))
        return seen, slice(rows.start - seen.start, rows.stop - seen.start)

    def neighbours(self, index: int, rows: slice, distance: int, interpolation: int = cv2.INTER_CUBIC) -> Planes:
        """Rows of a plane of the frames that far before and after this one, as far as they exist, warped to it."""
        before = self._frames[max(0, self._current - distance) : self._current + 1][::-1]
        after = self._frames[self._current : self._current + distance + 1]
        warped = []
        for number, path in enumerate((before, after)):
            if len(path) > distance:
                plane = path[-1].base.planes[index]
                points = self._points(plane.shape, rows, self._flows(path, number), (distance, number))
                warped.append(self._sampled(plane, points, interpolation))
        return warped

    def _flows(self, path: Sequence[_WindowFrame], number: int) -> list[HalfFlow | None]:
        """The flows from each frame of a path to the next one, or the one from its first frame to its last."""
        if self._meter is None:
            return [frame.forward if number else frame.backward for frame in path[:-1]]
        place = len(path), number
        if place not in self._measured:
            self._measured[place] = measured(self._meter, path[0].small, path[-1].small)
        return [self._measured[place]]

    def _points(self, shape: tuple[int, ...], rows: slice, flows: Sequence[HalfFlow], path: tuple[int, int]) -> Points:
        """The points that a path of flows leads to from rows of planes of this shape, in samples; kept for the next."""
        place = (shape, rows.start, rows.stop)
        if self._place != place:
            self._place, self._kept = place, {}
        if path not in self._kept:
            height, half = shape[0], len(flows[0])
            first, last = rows.start * half // height - 2, -(-rows.stop * half // height) + 2
            seen = slice(max(first, 0), min(last, half))
            flow = flows[0][seen]
            for following in flows[1:]:
                points = grid(seen, flow.shape[1]) + flow
                flow = flow + cv2.remap(following, points, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            points = grid(rows, shape[1]) + enlarged(flow, seen, rows, shape, half)
            self._kept[path] = cv2.convertMaps(points, None, cv2.CV_16SC2)  # remap does so on every call
        return self._kept[path]

    def _sampled(self, plane: np.ndarray, points: Points, interpolation: int) -> Float[np.ndarray, "r w"]:
        """A plane's samples at points. Only the rows that they lie in are converted to floats."""
        (whole, fraction), source = points, slice(0, len(plane))
        if len(whole) < len(plane):
            low, high = int(whole[..., 1].min()) - _CUBIC, int(whole[..., 1].max()) + _CUBIC + 1
            source = slice(int(np.clip(low, 0, len(plane) - 1)), int(np.clip(high, 1, len(plane))))
        part = integer_scale(plane[source], self._pixels)
        whole = whole - np.array([0, source.start], np.int16) if source.start else whole
        return cv2.remap(part, whole, fraction, interpolation, borderMode=cv2.BORDER_REPLICATE)


def strips(shape: tuple[int, ...]) -> list[slice]:
    """The rows of a plane, in strips of at most about `_STRIP` pixels."""
    height, width = shape
    rows = max(16, _STRIP // width // 4 * 4)
    return [slice(start, min(start + rows, height)) for start in range(0, height, rows)]


def windows(
    plain: Iterable[Frame],
    restored: Iterable[Frame],
    pixels: PixelFormat,
    *,
    around_plain: bool = False,
    reach: int = REACH,
) -> Iterator[Window]:
    """Each frame with those of its shot around it; `reach` frames behind the input.

    Args:
      plain: the frames as they were decoded.
      restored: the network's results, or the decoded frames again; they say which frame starts a shot.
      pixels: the pixel format of both.
      around_plain: whether the operators act on the decoded frames instead of the network's results.
      reach: frames before and after each frame. Above `REACH`, flow is measured from each frame to every other one.
    """
    meter = make_dis(WIENER)
    paths = reach <= REACH
    frames: list[_WindowFrame] = []
    current = 0

    def at(index: int) -> Window:
        return Window(frames, index, pixels, reach, None if paths else meter)

    def rest() -> Iterator[Window]:
        yield from map(at, range(current, len(frames)))

    for after, before in zip(restored, plain):
        if after.starts_shot:
            yield from rest()
            frames, current = [], 0
        base = before if around_plain else after
        frames.append(_WindowFrame(before, after, base, half_size(base.planes[0], pixels)))
        if paths and len(frames) > 1:
            first, second = frames[-2:]
            first.forward = measured(meter, first.small, second.small)
            second.backward = inverted(first.forward)
        if len(frames) > current + reach:
            yield at(current)
            current = min(current + 1, reach)
            frames = frames[-2 * reach :]
            for frame in frames[:current]:
                frame.forward = None
            for frame in frames[: current - 1]:
                frame.backward = None
    yield from rest()


def operator_responses(
    plain: Iterable[Frame],
    restored: Iterable[Frame],
    pixels: PixelFormat,
    sigma: Float[np.ndarray, "3"],
    *,
    around_plain: bool = False,
    operators: int = OPERATORS,
    wanted: slice = slice(None),
) -> Iterator[tuple[Frame, list[Planes]]]:
    """Each decoded frame and, for each of its planes but alpha, the operators' responses, for fitting coefficients.

    Nothing is taken from another shot, where the restored frames say which one starts a shot.

    Args:
      plain: the frames as they were decoded.
      restored: the network's results, or the decoded frames again; read in step with the others.
      pixels: the pixel format of both.
      sigma: the expected error of each plane, in samples.
      around_plain: whether the operators act on the decoded frames instead of the network's results.
      operators: the first plane's; the others have `OPERATORS`.
      wanted: which frames are yielded.
    """
    seen = windows(plain, restored, pixels, around_plain=around_plain)
    for window in itertools.islice(seen, wanted.start, wanted.stop):
        wholes = [slice(0, len(plane)) for plane in window.plain.planes[: window.count]]
        counts = [operators, *[OPERATORS] * (len(wholes) - 1)]
        planes = enumerate(zip(wholes, counts))
        yield window.plain, [window.responses(n, rows, float(sigma[n]), count) for n, (rows, count) in planes]
