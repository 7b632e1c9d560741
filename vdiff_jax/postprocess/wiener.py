"""The Wiener step: a linear filter in space and along the motion, whose coefficients are fitted by least squares.

u ← u₀ + c₀ (u - u₀) + Σ c L(u), with u₀ the decoded frame and u the network's result. It is one step of diffusion. The
operators L are the second differences to the neighbours in space, and the differences to the neighbouring frames warped
along the optical flow, so a finely coded frame improves its neighbours. As in a Wiener filter, the conductivities c are
fitted by least squares: by `compress` to the video itself, else once to the clips that the network was trained on.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.planes import sample_range
from vdiff_jax.stream.dis import WIENER, make_dis
from vdiff_jax.stream.samples import peak_sample, to_samples
from vdiff_jax.stream.warp import grid_points, warp

STEP = 256
"""Steps to a conductivity of 1, where conductivities are stored as integers."""
REACH = 2
"""Frames before and after a frame that its result depends on."""
_SCALES = (0.5, 1.5)
"""Each is for one operator. It halves the weight of a difference along the motion that is this many expected errors."""
_SMALLEST = 48
"""Pixels: in frames with a shorter side DIS cannot search, and motion is taken as zero."""
REFERENCE_ERROR = 4.0
"""The error, in 8-bit units, to which the first row of a `WienerModel`'s arrays belongs."""
_NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0))
"""Offsets (y, x) to a sample's neighbours; each stands for the opposite one too."""
OPERATORS = len(_NEIGHBOURS) + REACH * len(_SCALES) + 1
"""How many operators there are; the last one is the network's change."""

Planes = list[Float[np.ndarray, "_ _"]]
HalfFlow = Float[np.ndarray, "h2 w2 2"]
"""Displacements (x, y) in half-size pixels."""


class WienerFilter(NamedTuple):
    """The coefficients of the Wiener step for one video.

    Attributes:
      sigma: the expected error of Y', Cb and Cr, in samples.
      conductivities: of the operators, for each plane; with c classes of luma samples, for each class, Cb and Cr.
      thresholds: between the classes (see `classes_of`).
      around_plain: whether the operators act on the decoded frames instead of the network's results.
    """

    sigma: Float[np.ndarray, "3"]
    conductivities: Float[np.ndarray, "planes k"]
    thresholds: tuple[float, ...] = ()
    around_plain: bool = False


class WienerModel(NamedTuple):
    """The coefficients for any video, as straight lines over log2 of its error.

    The first row of both arrays is the line's value at `REFERENCE_ERROR`, for Y', Cb and Cr. The second row is its
    slope for each doubling of the error.

    Attributes:
      left: log2 of the error that the network leaves, in 8-bit units.
      conductivities: of the operators. The network's own is 0: its result is taken as it is.
    """

    left: Float[np.ndarray, "2 3"]
    conductivities: Float[np.ndarray, "2 3 k"]

    def filter_for(self, sigma: Float[np.ndarray, "3"], pixels: PixelFormat) -> WienerFilter:
        """The coefficients for one video.

        Args:
          sigma: the expected error of each plane before the network, in [0, 1].
          pixels: the planes' pixel format; R', G' and B' are each treated as luma.
        """
        planes = [0, 0, 0] if pixels.kind == "rgb" else [0, 1, 2]
        doublings = np.log2(np.maximum(255 * np.asarray(sigma, float), 0.25) / REFERENCE_ERROR)
        left = np.exp2(self.left[0, planes] + doublings * self.left[1, planes]) / 255
        conductivities = (self.conductivities[0] + doublings[0] * self.conductivities[1])[planes]
        return WienerFilter(left * spans(pixels), conductivities)


def spans(pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """How many sample values of each plane lie between 0 and 1."""
    return np.array([sample_range(pixels, chroma=pixels.kind == "yuv" and index > 0)[1] for index in range(3)])


def wiener_step(
    plain: Iterable[Frame], restored: Iterable[Frame], pixels: PixelFormat, coefficients: WienerFilter
) -> Iterator[Frame]:
    """The network's frames after the Wiener step; `REACH` frames behind its input. Alpha is unchanged.

    Args:
      plain: the frames as they were decoded.
      restored: the network's results, or the decoded frames again; read in step with the others.
      pixels: the pixel format of both.
      coefficients: of the step.
    """
    around_plain, count = coefficients.around_plain, len(coefficients.thresholds)
    for frame, responses in operator_responses(plain, restored, pixels, coefficients.sigma, around_plain=around_plain):
        planes = []
        for index, (plane, terms) in enumerate(zip(frame.planes, responses)):
            result = _integer_scale(plane, pixels)
            if index == 0 and count:
                classes = classes_of(plane, pixels, coefficients.thresholds)
                for c, term in zip(coefficients.conductivities[: count + 1].T, terms):
                    result = result + c.astype(np.float32)[classes] * term if c.any() else result
            else:
                for c, term in zip(coefficients.conductivities[count + index], terms):
                    result = cv2.scaleAdd(term, float(c), result) if c else result
            planes.append(_stored(result, plane, pixels))
        yield dataclasses.replace(frame, planes=(*planes, *frame.planes[len(planes) :]), quantiser=None)


def activity(plane: np.ndarray, pixels: PixelFormat) -> Float[np.ndarray, "h w"]:
    """How much luma varies around each sample: the mean size of its Laplacian over 5x5 samples, in 8-bit units."""
    laplacian = np.abs(cv2.Laplacian(_integer_scale(plane, pixels), cv2.CV_32F))
    return cv2.blur(laplacian, (5, 5)) / np.float32(1 << (pixels.bits - 8))


def classes_of(plane: np.ndarray, pixels: PixelFormat, thresholds: Sequence[float]) -> UInt8[np.ndarray, "h w"]:
    """Each luma sample's class: how many of the thresholds its activity exceeds. As in the loop filter of VVC (ALF)."""
    measured = activity(plane, pixels)
    return sum((measured > threshold).astype(np.uint8) for threshold in thresholds)


def operator_responses(
    plain: Iterable[Frame],
    restored: Iterable[Frame],
    pixels: PixelFormat,
    sigma: Float[np.ndarray, "3"],
    *,
    around_plain: bool = False,
) -> Iterator[tuple[Frame, list[Planes]]]:
    """Each decoded frame and, for each of its planes but alpha, the operators' responses, for fitting coefficients.

    Nothing is taken from another shot, where the restored frames say which one starts a shot.

    Args:
      plain: the frames as they were decoded.
      restored: the network's results, or the decoded frames again; read in step with the others.
      pixels: the pixel format of both.
      sigma: the expected error of each plane, in samples.
      around_plain: whether the operators act on the decoded frames instead of the network's results.
    """
    motion = _MotionCompensation(pixels)
    window: list[_WindowFrame] = []
    current = 0

    def rest() -> Iterator[tuple[Frame, list[Planes]]]:
        for index in range(current, len(window)):
            yield window[index].plain, _responses(window, index, motion, sigma, pixels)

    for after, before in zip(restored, plain):
        if after.starts_shot:
            yield from rest()
            window, current = [], 0
        count = len(after.planes) - pixels.alpha
        results, decoded = ([_integer_scale(p, pixels) for p in frame.planes[:count]] for frame in (after, before))
        planes = decoded if around_plain else results
        change = [result - plane for result, plane in zip(results, decoded)]
        window.append(_WindowFrame(before, planes, change, motion.half_size(planes[0])))
        if len(window) > 1:
            motion.measure(*window[-2:])
        if len(window) > current + REACH:
            yield window[current].plain, _responses(window, current, motion, sigma, pixels)
            current = min(current + 1, REACH)
            window = window[-2 * REACH :]
    yield from rest()


@dataclasses.dataclass
class _WindowFrame:
    """A frame in memory.

    Attributes:
      plain: as it was decoded.
      planes: those that the operators act on, as floats on the scale of integer samples.
      change: the network's change.
      small: half-size luma.
      backward, forward: the flow to the frame before and after; `None` where there is none.
    """

    plain: Frame
    planes: Planes
    change: Planes
    small: UInt8[np.ndarray, "h2 w2"]
    backward: HalfFlow | None = None
    forward: HalfFlow | None = None


def _responses(
    window: Sequence[_WindowFrame],
    current: int,
    motion: "_MotionCompensation",
    sigma: Float[np.ndarray, "3"],
    pixels: PixelFormat,
) -> list[Planes]:
    """The operators' responses for each plane of one frame."""
    responses = []
    warped = [motion.neighbours(window, current, distance) for distance in range(1, REACH + 1)]
    for index, (here, change) in enumerate(zip(window[current].planes, window[current].change)):
        terms = _second_differences(here)
        for neighbours in warped:
            differences = [neighbour[index] - here for neighbour in neighbours]
            means = [cv2.blur(np.abs(difference), (5, 5)) for difference in differences]
            for scale in _SCALES:
                half_weight = max(scale * float(sigma[index]), 1e-3)
                parts = [d / (1 + (mean / half_weight) ** 2) for d, mean in zip(differences, means)]
                terms.append(sum(parts) if parts else np.zeros_like(here))
        responses.append([*terms, change])
    return responses


def _integer_scale(plane: np.ndarray, pixels: PixelFormat) -> Float[np.ndarray, "h w"]:
    """A plane as floats on the scale of integer samples, 0 to `pixels.peak`."""
    return plane.astype(np.float32) * np.float32(pixels.peak / peak_sample(plane, pixels))


def _stored(values: Float[np.ndarray, "h w"], like: np.ndarray, pixels: PixelFormat) -> np.ndarray:
    """The inverse of `_integer_scale`, in the type of another plane."""
    return to_samples(values / np.float32(pixels.peak / peak_sample(like, pixels)), like.dtype, pixels)


def _second_differences(plane: Float[np.ndarray, "h w"]) -> Planes:
    """For each of `_NEIGHBOURS` the sum of both opposite neighbours minus twice the sample."""
    height, width = plane.shape
    padded = np.pad(plane, 2, mode="edge")

    def shifted(y: int, x: int) -> Float[np.ndarray, "h w"]:
        return padded[2 + y : 2 + y + height, 2 + x : 2 + x + width]

    return [shifted(y, x) + shifted(-y, -x) - 2 * plane for y, x in _NEIGHBOURS]


class _MotionCompensation:
    """Warps a frame's planes to another frame, along the flow on half-size luma from each frame to the next."""

    def __init__(self, pixels: PixelFormat):
        self._pixels = pixels
        self._flow = make_dis(WIENER)

    def measure(self, first: _WindowFrame, second: _WindowFrame) -> None:
        """Sets the flow between two neighbouring frames."""
        first.forward = self._measured(first.small, second.small)
        second.backward = self._measured(second.small, first.small)

    def _measured(self, here: UInt8[np.ndarray, "h2 w2"], there: UInt8[np.ndarray, "h2 w2"]) -> HalfFlow:
        if min(here.shape) < _SMALLEST // 2:
            return np.zeros((*here.shape, 2), np.float32)
        return self._flow.calc(here, there, None)

    def neighbours(self, window: Sequence[_WindowFrame], current: int, distance: int) -> list[Planes]:
        """The warped planes of the frames that far before and after the current one, as far as they exist."""
        before, after = window[max(0, current - distance) : current + 1][::-1], window[current : current + distance + 1]
        paths = [(before, [frame.backward for frame in before]), (after, [frame.forward for frame in after])]
        return [self._warped(path[-1].planes, flows[:-1]) for path, flows in paths if len(path) > distance]

    def _warped(self, planes: Planes, flows: Sequence[HalfFlow]) -> Planes:
        """Planes at the end of a path of flows, warped to its start."""
        flow = flows[0]
        for following in flows[1:]:
            flow = flow + warp(following, flow)
        points = {shape: _points_in_plane(flow, shape) for shape in {plane.shape for plane in planes}}
        return [
            cv2.remap(plane, points[plane.shape], None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            for plane in planes
        ]

    def half_size(self, luma: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h2 w2"]:
        """Half-size 8-bit luma."""
        height, width = luma.shape
        half = cv2.resize(luma, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
        return np.clip(half / (1 << (self._pixels.bits - 8)) + 0.5, 0, 255).astype(np.uint8)


def _points_in_plane(flow: HalfFlow, shape: tuple[int, ...]) -> Float[np.ndarray, "hp wp 2"]:
    """The points (x, y) that a flow leads to, for each sample of a plane of this shape, in its samples."""
    if shape != flow.shape[:2]:
        scale = np.array([shape[1] / flow.shape[1], shape[0] / flow.shape[0]], np.float32)
        flow = cv2.resize(flow * scale, shape[::-1], interpolation=cv2.INTER_LINEAR)
    return grid_points(shape) + flow
