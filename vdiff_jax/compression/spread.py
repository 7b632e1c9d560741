"""One step of diffusion in space and along the motion, whose conductivities are a video's own.

u ← u + Σ c L(u): the operators L are the second differences to the neighbours in space, the differences to the frames
around it moved along the motion, and what the network would change. The encoder fits the conductivities c by least
squares, as a Wiener filter's; a frame that was coded finely so mends its neighbours.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.planes import chroma_scale

STEP = 256
"""A conductivity of 1."""
REACH = 2
"""Frames before and after one that it is mended from."""
_SCALES = (0.5, 1.5)
"""A difference along the motion counts by half where it is around so many times the usual error."""
_SMALLEST = 48
"""Frames with a side under this hold too little to search for motion in."""
_SPACE = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))
"""A sample's neighbours (y, x), each with the one opposite."""
OPERATORS = len(_SPACE) + REACH * len(_SCALES) + 1
"""The last is the network's."""

Planes = list[Float[np.ndarray, "h w"]]


class Spread(NamedTuple):
    """How a video is spread.

    Attributes:
      sigma: the usual error of Y', Cb and Cr, in samples.
      conductivities: of the operators on each.
    """

    sigma: Float[np.ndarray, "3"]
    conductivities: Float[np.ndarray, "3 k"]


def spread(plain: Iterable[Frame], restored: Iterable[Frame], pixels: PixelFormat, by: Spread) -> Iterator[Frame]:
    """Frames mended from their neighbours in space and time, and by the network.

    Args:
      plain: as they were decoded.
      restored: as the network has them, or the same again; read one by one with the others.
      pixels: what both mean.
      by: the conductivities.
    """
    for frame, operators in around(plain, restored, pixels, by.sigma):
        planes = []
        for index, (plane, terms) in enumerate(zip(frame.planes, operators)):
            change = sum(c * term for c, term in zip(by.conductivities[index], terms) if c)
            planes.append(np.clip(np.rint(plane + change), 0, pixels.peak).astype(plane.dtype))
        yield Frame(tuple(planes), frame.pts, frame.duration)


def around(
    plain: Iterable[Frame], restored: Iterable[Frame], pixels: PixelFormat, sigma: Float[np.ndarray, "3"]
) -> Iterator[tuple[Frame, list[Planes]]]:
    """Each plain frame and, for each of its planes, what the operators make of it."""
    motion = _Motion(pixels)
    waiting: list[tuple[Frame, Frame]] = []
    at = 0
    for after, before in zip(restored, plain):
        waiting.append((before, after))
        if len(waiting) > at + REACH:
            yield _operators(waiting, at, motion, sigma)
            at = min(at + 1, REACH)
            waiting = waiting[-2 * REACH :]
    while at < len(waiting):
        yield _operators(waiting, at, motion, sigma)
        at += 1


def _operators(
    waiting: Sequence[tuple[Frame, Frame]], at: int, motion: "_Motion", sigma: Float[np.ndarray, "3"]
) -> tuple[Frame, list[Planes]]:
    frame, restored = waiting[at]
    moved = [
        [motion(waiting[n][0], frame) for n in (at - distance, at + distance) if 0 <= n < len(waiting)]
        for distance in range(1, REACH + 1)
    ]
    made = []
    for index, plane in enumerate(frame.planes):
        here = plane.astype(np.float32)
        terms = _second_differences(here)
        for neighbours in moved:
            differences = [neighbour[index] - here for neighbour in neighbours]
            means = [cv2.blur(np.abs(difference), (5, 5)) for difference in differences]
            for scale in _SCALES:
                reach = max(scale * float(sigma[index]), 1e-3)
                parts = [d / (1 + (mean / reach) ** 2) for d, mean in zip(differences, means)]
                terms.append(sum(parts) if parts else np.zeros_like(here))
        made.append([*terms, restored.planes[index].astype(np.float32) - here])
    return frame, made


def _second_differences(plane: Float[np.ndarray, "h w"]) -> Planes:
    height, width = plane.shape
    padded = np.pad(plane, 2, mode="edge")

    def beside(y: int, x: int) -> Float[np.ndarray, "h w"]:
        return padded[2 + y : 2 + y + height, 2 + x : 2 + x + width]

    return [beside(y, x) + beside(-y, -x) - 2 * plane for y, x in _SPACE]


class _Motion:
    """Moves a frame's planes to where they lie in another, by OpenCV's DIS on luma."""

    def __init__(self, pixels: PixelFormat):
        self._pixels = pixels
        self._flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._flow.setFinestScale(1)

    def __call__(self, there: Frame, here: Frame) -> Planes:
        flow = np.zeros((*here.planes[0].shape, 2), np.float32)
        if min(flow.shape[:2]) >= _SMALLEST:
            flow = self._flow.calc(self._eight(here), self._eight(there), None)
        places = [_places(flow, (1, 1))]
        if len(there.planes) > 1:
            places += [_places(flow, chroma_scale(self._pixels))] * 2
        return [
            cv2.remap(plane.astype(np.float32), x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            for plane, (x, y) in zip(there.planes, places)
        ]

    def _eight(self, frame: Frame) -> np.ndarray:
        """Luma in 8 bits."""
        return (frame.planes[0] >> (self._pixels.bits - 8)).astype(np.uint8)


def _places(flow: Float[np.ndarray, "h w 2"], scale: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where samples, one for `scale` pixels (y, x), come from, in samples."""
    if scale != (1, 1):
        size = (-(-flow.shape[1] // scale[1]), -(-flow.shape[0] // scale[0]))
        flow = cv2.resize(flow, size, interpolation=cv2.INTER_AREA) / np.float32(scale[::-1])
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return x + flow[..., 0], y + flow[..., 1]
