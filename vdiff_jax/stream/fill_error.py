"""The expected error of filled samples, and the weighted mean of several estimates of one sample."""

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.biharmonic import biharmonic_prediction
from vdiff_jax.stream.push_pull import push_pull_fill
from vdiff_jax.stream.samples import bounding_box, normalised_step

Estimate = tuple[Float[np.ndarray, "p n"], Float[np.ndarray, " n"]]
"""Samples of p planes at n points, in [0, 1], and the expected error of each; infinite where there is no sample."""

# The root of the mean squared error, in 8-bit units, as a product of powers: fitted (gamma regression, logarithmic
# link) to logos, figures, scratches and drop-outs over ten of the clips that the weights were trained on.
_SPATIAL = {"constant": -0.55, "detail": 1.55, "distance": 1.1, "both": -0.24}
_PROPAGATED = {"constant": -0.56, "mismatch": 1.28, "detail": 0.5, "frames": 0.12}
_WINDOW = 15
"""Pixels around a point over which its detail is measured."""
_ROUNDS = 3
"""Rounds of reweighting in `weighted_mean`."""
_OUTLIER = 2.0
"""An estimate whose squared distance from the mean is this many expected variances has half its weight.

The errors are heavy-tailed."""
_MEAN_ERROR = 0.7
"""The expected error of a mean is this share of what its estimates predict. With 0.7 the network refines fills best."""


def spatial_error(detail: Float[np.ndarray, " n"], distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The expected error, in [0, 1], of points that were filled from their surroundings.

    Args:
      detail: from `local_detail`, in 8-bit units.
      distance: to the nearest known pixel, in pixels, at least 1.
    """
    detail, distance = np.log1p(detail), np.log(distance)
    power = _SPATIAL["constant"] + _SPATIAL["detail"] * detail + _SPATIAL["distance"] * distance
    power = power + _SPATIAL["both"] * detail * distance
    return np.exp(power).astype(np.float32) / 255


def propagated_error(
    mismatch: Float[np.ndarray, " n"], detail: Float[np.ndarray, " n"], frames: int
) -> Float[np.ndarray, " n"]:
    """The expected error, in [0, 1], of samples that were propagated from another frame.

    Args:
      mismatch: the mean difference of known pixels around each point along the same motion, in 8-bit units.
      detail: from `local_detail`, in 8-bit units.
      frames: how many frames away the other frame is.
    """
    power = _PROPAGATED["constant"] + _PROPAGATED["mismatch"] * np.log1p(mismatch)
    power = power + _PROPAGATED["detail"] * np.log1p(detail) + _PROPAGATED["frames"] * np.log(frames)
    return np.exp(power).astype(np.float32) / 255


def weighted_mean(estimates: list[Estimate]) -> Estimate:
    """The mean of several estimates, weighted by their expected errors; outliers count less."""
    values, errors = (np.stack(parts) for parts in zip(*estimates))
    precision = weight = 1 / np.square(errors)
    for _ in range(_ROUNDS):
        mean = (weight[:, None] * values).sum(axis=0) / weight.sum(axis=0)
        distance = np.square(values - mean).mean(axis=1)
        weight = precision / (1 + distance * precision / _OUTLIER)
    distance = (weight * distance).sum(axis=0) / weight.sum(axis=0)
    return mean, _MEAN_ERROR * np.sqrt(1 / precision.sum(axis=0) + distance)


def local_detail(item: AnalysedFrame, points: Float[np.ndarray, "n 2"], pixels: PixelFormat) -> Float[np.ndarray, " n"]:
    """How hard the picture around each point is to predict: the mean error of a biharmonic prediction, in 8-bit units.

    Args:
      item: a frame with hidden samples.
      points: x and y in pixels.
      pixels: the frame's pixel format.
    """
    box = bounding_box(item.hidden, _WINDOW)
    assert box is not None
    plane = item.frame.planes[1 if pixels.kind == "rgb" else 0][box]
    luma = plane.astype(np.float32) * np.float32(255 * normalised_step(plane, pixels))
    known = (~item.mask[box]).astype(np.float32)
    share = cv2.blur(known, (_WINDOW, _WINDOW))
    error = cv2.blur(known * np.abs(biharmonic_prediction(luma) - luma), (_WINDOW, _WINDOW)) / np.maximum(share, 1e-3)
    error = push_pull_fill(error[..., None], (share > 0.1).astype(np.float32))[..., 0]
    rows, columns = (
        np.clip(np.rint(points[:, axis]).astype(int) - side.start, 0, length - 1)
        for axis, side, length in zip((1, 0), box, error.shape)
    )
    return error[rows, columns]
