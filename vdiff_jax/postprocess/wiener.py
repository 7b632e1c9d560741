"""One step of diffusion in space and along the motion, whose conductivities are least squares'.

u ← u₀ + c₀ (u - u₀) + Σ c L(u), u₀ what was decoded and u what the network made of it: the operators L are the second
differences to the neighbours in space and the differences to the frames around it moved along the motion. As in a
Wiener filter the conductivities c are fitted by least squares: by the encoder to the very video, or to the clips that
the network was trained on. A frame that was coded finely so mends its neighbours.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.planes import sample_range
from vdiff_jax.stream.warp import grid_points, remap

STEP = 256
"""A conductivity of 1."""
REACH = 2
"""Frames before and after one that it is mended from."""
_SCALES = (0.5, 1.5)
"""A difference along the motion counts by half where it is around so many times the usual error."""
_SMALLEST = 48
"""Frames with a side under this hold too little to search for motion in."""
REFERENCE_ERROR = 4.0
"""An error in 8-bit levels from whose doublings `WienerModel` is told."""
_SPACE = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))
"""A sample's neighbours (y, x), each with the one opposite."""
OPERATORS = len(_SPACE) + REACH * len(_SCALES) + 1
"""The last is the network's."""

Planes = list[Float[np.ndarray, "_ _"]]
Flow = Float[np.ndarray, "h2 w2 2"]
"""On a grid of half the size, in its own units."""


class WienerFilter(NamedTuple):
    """How a video is spread.

    Attributes:
      sigma: the usual error of Y', Cb and Cr, in samples.
      conductivities: of the operators on each.
    """

    sigma: Float[np.ndarray, "3"]
    conductivities: Float[np.ndarray, "3 k"]


class WienerModel(NamedTuple):
    """How what a network made of any video is spread: lines over log2 of a plane's error, told in 8-bit levels.

    Attributes:
      left: log2 of the error that the network leaves, in 8-bit levels: at `REFERENCE_ERROR`, and its slope, of Y', Cb
        and Cr.
      conductivities: of the operators on each but the network's, which is taken as it is; the same.
    """

    left: Float[np.ndarray, "2 3"]
    conductivities: Float[np.ndarray, "2 3 k"]

    def filter_for(self, sigma: Float[np.ndarray, "3"], pixels: PixelFormat) -> WienerFilter:
        """How a video is spread.

        Args:
          sigma: the expected error of each plane, in levels.
          pixels: what the planes mean; R', G' and B' are taken as luma each.
        """
        planes = [0, 0, 0] if pixels.kind == "rgb" else [0, 1, 2]
        height = np.log2(np.maximum(255 * np.asarray(sigma, float), 0.25) / REFERENCE_ERROR)
        left = np.exp2(self.left[0, planes] + height * self.left[1, planes]) / 255
        at = (self.conductivities[0] + height[0] * self.conductivities[1])[planes]
        return WienerFilter(left * spans(pixels), at)


def spans(pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """How many samples of each plane span 1."""
    return np.array([sample_range(pixels, chroma=pixels.kind == "yuv" and index > 0)[1] for index in range(3)])


def wiener_step(
    plain: Iterable[Frame], restored: Iterable[Frame], pixels: PixelFormat, by: WienerFilter
) -> Iterator[Frame]:
    """Frames mended by the network and from their neighbours in space and time; alpha passes as it is.

    Args:
      plain: as they were decoded.
      restored: as the network has them, or the same again; read one by one with the others.
      pixels: what both mean.
      by: the conductivities.
    """
    for frame, operators in around(plain, restored, pixels, by.sigma):
        planes = []
        for index, (plane, terms) in enumerate(zip(frame.planes, operators)):
            mended = _samples(plane, pixels)
            for c, term in zip(by.conductivities[index], terms):
                mended = cv2.scaleAdd(term, float(c), mended) if c else mended
            planes.append(_stored(mended, plane.dtype, pixels))
        yield Frame((*planes, *frame.planes[len(planes) :]), frame.pts, frame.duration)


def around(
    plain: Iterable[Frame], restored: Iterable[Frame], pixels: PixelFormat, sigma: Float[np.ndarray, "3"]
) -> Iterator[tuple[Frame, list[Planes]]]:
    """Each plain frame and, for each of its planes but alpha, what the operators make of it."""
    motion = _Motion(pixels)
    held: list[_Held] = []
    at = 0
    for after, before in zip(restored, plain):
        count = len(after.planes) - pixels.alpha
        planes = [_samples(plane, pixels) for plane in after.planes[:count]]
        held.append(_Held(before, planes, motion.small(planes[0])))
        if len(held) > 1:
            motion.join(*held[-2:])
        if len(held) > at + REACH:
            yield held[at].plain, _operators(held, at, motion, sigma, pixels)
            at = min(at + 1, REACH)
            held = held[-2 * REACH :]
    while at < len(held):
        yield held[at].plain, _operators(held, at, motion, sigma, pixels)
        at += 1


@dataclasses.dataclass
class _Held:
    """A frame, what was made of it, and where its pixels lie in the frames before and after it, if there are any."""

    plain: Frame
    planes: Planes
    small: UInt8[np.ndarray, "h2 w2"]
    back: Flow | None = None
    forth: Flow | None = None


def _operators(
    held: Sequence[_Held], at: int, motion: "_Motion", sigma: Float[np.ndarray, "3"], pixels: PixelFormat
) -> list[Planes]:
    made = []
    moved = [motion.neighbours(held, at, distance) for distance in range(1, REACH + 1)]
    for index, (here, plain) in enumerate(zip(held[at].planes, held[at].plain.planes)):
        terms = _second_differences(here)
        for neighbours in moved:
            differences = [neighbour[index] - here for neighbour in neighbours]
            means = [cv2.blur(np.abs(difference), (5, 5)) for difference in differences]
            for scale in _SCALES:
                reach = max(scale * float(sigma[index]), 1e-3)
                parts = [d / (1 + (mean / reach) ** 2) for d, mean in zip(differences, means)]
                terms.append(sum(parts) if parts else np.zeros_like(here))
        made.append([*terms, here - _samples(plain, pixels)])
    return made


def _samples(plane: np.ndarray, pixels: PixelFormat) -> Float[np.ndarray, "h w"]:
    """A plane's samples; of an array in [0, 1] those that a file would hold."""
    return plane.astype(np.float32) * np.float32(pixels.peak if np.issubdtype(plane.dtype, np.floating) else 1)


def _stored(plane: Float[np.ndarray, "h w"], dtype: np.dtype, pixels: PixelFormat) -> np.ndarray:
    """Samples as they were given."""
    if np.issubdtype(dtype, np.floating):
        return (plane / pixels.peak).astype(dtype)
    return np.clip(np.rint(plane), 0, pixels.peak).astype(dtype)


def _second_differences(plane: Float[np.ndarray, "h w"]) -> Planes:
    height, width = plane.shape
    padded = np.pad(plane, 2, mode="edge")

    def beside(y: int, x: int) -> Float[np.ndarray, "h w"]:
        return padded[2 + y : 2 + y + height, 2 + x : 2 + x + width]

    return [beside(y, x) + beside(-y, -x) - 2 * plane for y, x in _SPACE]


class _Motion:
    """Moves a frame's planes to where they lie in another, by OpenCV's DIS on half-size luma from each to the next."""

    def __init__(self, pixels: PixelFormat):
        self._pixels = pixels
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._flow.setFinestScale(0)
        self._flow.setPatchStride(5)  # of 4, and fewer rounds of either kind: the same, in half of the time
        self._flow.setGradientDescentIterations(8)
        self._flow.setVariationalRefinementIterations(1)

    def join(self, one: _Held, other: _Held) -> None:
        """Measures the motion between two frames that follow each other."""
        one.forth, other.back = (
            np.zeros((*one.small.shape, 2), np.float32)
            if min(one.small.shape) < _SMALLEST // 2
            else self._flow.calc(here.small, there.small, None)
            for here, there in ((one, other), (other, one))
        )

    def neighbours(self, held: Sequence[_Held], at: int, distance: int) -> list[Planes]:
        """The planes of the frames so far before and after, moved."""
        before, after = held[max(0, at - distance) : at + 1][::-1], held[at : at + distance + 1]
        paths = [(before, [frame.back for frame in before]), (after, [frame.forth for frame in after])]
        return [self._moved(path[-1].planes, flows[:-1]) for path, flows in paths if len(path) > distance]

    def _moved(self, planes: Planes, flows: Sequence[Flow]) -> Planes:
        """Planes from where a path of displacements ends."""
        flow = flows[0]
        for more in flows[1:]:
            flow = flow + remap(more, grid_points(flow.shape[:2]) + flow)
        places = {shape: _on_plane(flow, shape) for shape in {plane.shape for plane in planes}}
        return [
            cv2.remap(plane, places[plane.shape], None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            for plane in planes
        ]

    def small(self, luma: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h2 w2"]:
        """In half the size and 8 bits."""
        height, width = luma.shape
        half = cv2.resize(luma, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
        return np.clip(half / (1 << (self._pixels.bits - 8)) + 0.5, 0, 255).astype(np.uint8)


def _on_plane(flow: Flow, shape: tuple[int, ...]) -> Float[np.ndarray, "hp wp 2"]:
    """Where the samples of a plane of this shape come from, in samples."""
    if shape != flow.shape[:2]:
        scale = np.array([shape[1] / flow.shape[1], shape[0] / flow.shape[0]], np.float32)
        flow = cv2.resize(flow * scale, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return grid_points(shape) + flow
