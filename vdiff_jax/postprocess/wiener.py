"""The Wiener step: a linear filter in space and along the motion, whose coefficients are fitted by least squares.

u ← u₀ + c₀ (u - u₀) + Σ c L(u), with u₀ the decoded frame and u the network's result. It is one step of diffusion. The
operators L are the second differences to the neighbours in space, and the differences to the neighbouring frames warped
along the optical flow, so a finely coded frame improves its neighbours. As in a Wiener filter, the conductivities c are
fitted by least squares, by `compress` to the video itself. `residual_filter.py` has the step of `repair`.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener_operators import OPERATORS, Planes, integer_scale, windows
from vdiff_jax.preprocess.planes import sample_range
from vdiff_jax.stream.samples import peak_sample, to_samples

STEP = 256
"""Conductivities are stored as integers. This integer is a conductivity of 1."""
DIRECTIONS = 5
"""Classes of luma samples by direction of the gradient: four directions, and one class for no clear direction."""
CLASS_REACH = 4
"""A sample's class depends on the rows and columns up to this far around it."""


UsedTerms = dict[int, Float[np.ndarray, "256"]]
"""By the number of a term: its coefficient for each class of samples."""


class WienerFilter(NamedTuple):
    """The coefficients of the Wiener step for one video.

    Attributes:
      sigma: the expected error of Y', Cb and Cr, in samples.
      conductivities: of the operators, for each plane; with c classes of luma samples, for each class, Cb and Cr. If
        luma has all `LUMA_OPERATORS`, those of Cb and Cr are 0 but for the last `OPERATORS`.
      thresholds: between the classes of activity (see `classes_of`).
      directions: the number of classes by direction: 1 or `DIRECTIONS`.
      around_plain: whether the operators act on the decoded frames instead of the network's results.
    """

    sigma: Float[np.ndarray, "3"]
    conductivities: Float[np.ndarray, "planes k"]
    thresholds: tuple[float, ...] = ()
    directions: int = 1
    around_plain: bool = False


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
    sigma, conductivities, thresholds, directions, around_plain = coefficients
    classes = (len(thresholds) + 1) * directions
    for window in windows(plain, restored, pixels, around_plain=around_plain):
        frame, planes = window.plain, []
        for index, plane in enumerate(frame.planes[: window.count]):
            own = conductivities[:classes] if index == 0 else conductivities[None, classes - 1 + index, -OPERATORS:]
            numbers, used = classes_of(plane, pixels, thresholds, directions) if len(own) > 1 else None, used_of(own)
            stored = np.empty_like(plane)
            for rows in window.strips(index):
                terms = window.responses(index, rows, float(sigma[index]), own.shape[1])
                result = integer_scale(plane[rows], pixels)
                result += weighted(terms, used, None if numbers is None else numbers[rows])
                stored[rows] = stored_samples(result, plane, pixels)
            planes.append(stored)
        yield dataclasses.replace(frame, planes=(*planes, *frame.planes[len(planes) :]), quantiser=None)


def used_of(coefficients: Float[np.ndarray, "classes k"]) -> UsedTerms:
    """The coefficients of each term, without the terms whose coefficients are all 0."""
    columns = np.zeros((coefficients.shape[1], 256), np.float32)
    columns[:, : len(coefficients)] = coefficients.T
    return {number: column for number, column in enumerate(columns) if column.any()}


def weighted(
    terms: Planes, used: UsedTerms, classes: UInt8[np.ndarray, "h w"] | None = None
) -> Float[np.ndarray, "h w"]:
    """The sum of the terms, each multiplied by its coefficient, that of its sample's class if there are several."""
    total = np.zeros_like(terms[0])
    for number, column in used.items():
        if classes is None:
            total += column[0] * terms[number]
        else:
            cv2.accumulateProduct(cv2.LUT(classes, column), terms[number], total)
    return total


def activity(plane: np.ndarray, pixels: PixelFormat) -> Float[np.ndarray, "h w"]:
    """How much luma varies around each sample: the mean size of its Laplacian over 5x5 samples, in 8-bit units."""
    laplacian = np.abs(cv2.Laplacian(integer_scale(plane, pixels), cv2.CV_32F))
    return cv2.blur(laplacian, (5, 5)) / np.float32(1 << (pixels.bits - 8))


def classes_of(
    plane: np.ndarray, pixels: PixelFormat, thresholds: Sequence[float], directions: int = 1
) -> UInt8[np.ndarray, "h w"]:
    """Each luma sample's class, by activity and by the direction of its gradient, as in the loop filter of VVC (ALF).

    Args:
      plane: luma.
      pixels: its pixel format.
      thresholds: of the activity; a sample's class counts those that it exceeds.
      directions: 1, or `DIRECTIONS` to divide each class by direction.
    """
    measured = activity(plane, pixels)
    classes = np.zeros(plane.shape, np.uint8)
    for threshold in thresholds:
        classes += measured > threshold
    return classes if directions == 1 else np.uint8(directions) * classes + _direction(integer_scale(plane, pixels))


def _direction(luma: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    """The direction of luma's gradient over 7x7 samples: 0 where none is clear, else 1 to 4, 45 degrees apart."""
    x, y = cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    xx, yy, xy = (cv2.blur(product, (7, 7)) for product in (x * x, y * y, x * y))
    across, slanted = xx - yy, 2 * xy  # a vector at twice the gradient's angle
    clear = 4 * (across**2 + slanted**2) >= (xx + yy + 1) ** 2
    found = np.where(np.abs(across) >= np.abs(slanted), np.where(across > 0, 1, 3), np.where(slanted > 0, 2, 4))
    return np.where(clear, found, 0).astype(np.uint8)


def stored_samples(values: Float[np.ndarray, "h w"], like: np.ndarray, pixels: PixelFormat) -> np.ndarray:
    """The inverse of `integer_scale`, in the type of another plane."""
    return to_samples(values / np.float32(pixels.peak / peak_sample(like, pixels)), like.dtype, pixels)
