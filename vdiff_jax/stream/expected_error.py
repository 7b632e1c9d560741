"""What error to expect of a guess, and the best mean of several."""

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.biharmonic import bent
from vdiff_jax.stream.push_pull import push_pull_fill
from vdiff_jax.stream.samples import box_of, unit

Found = tuple[Float[np.ndarray, "p n"], Float[np.ndarray, " n"]]
"""Samples of p planes at n places, in levels, and the error to expect of each; infinite where there is none."""

# The root of the mean squared error, in 8-bit units, as a product of powers: fitted (gamma regression, logarithmic
# link) to logos, figures, scratches and drop-outs over ten of the clips that the weights were trained on.
_SPATIAL = {"constant": -0.55, "detail": 1.55, "distance": 1.1, "both": -0.24}
_FOLLOWED = {"constant": -0.56, "mismatch": 1.28, "detail": 0.5, "frames": 0.12}
_WIDE = 15
_ROUNDS = 3
_TAIL = 2.0
"""How many expected variances off a guess begins to count for less: the errors' tails are heavy."""


_SURE = 0.7
"""A mean errs less than its parts; with this much of their error the network refines it best."""


def spatial_error(detail: Float[np.ndarray, " n"], distance: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Of a fill from around; the distance to what is known is in pixels."""
    detail, distance = np.log1p(detail), np.log(distance)
    power = _SPATIAL["constant"] + _SPATIAL["detail"] * detail + _SPATIAL["distance"] * distance
    power = power + _SPATIAL["both"] * detail * distance
    return np.exp(power).astype(np.float32) / 255


def followed_error(
    mismatch: Float[np.ndarray, " n"], detail: Float[np.ndarray, " n"], frames: int
) -> Float[np.ndarray, " n"]:
    """Of a sample that was followed over some frames; the mismatch is that of what is known around it."""
    power = _FOLLOWED["constant"] + _FOLLOWED["mismatch"] * np.log1p(mismatch)
    power = power + _FOLLOWED["detail"] * np.log1p(detail) + _FOLLOWED["frames"] * np.log(frames)
    return np.exp(power).astype(np.float32) / 255


def combine(found: list[Found]) -> Found:
    """The mean of the guesses weighted by the errors to expect, less of those that stand apart; and its own error."""
    values, errors = (np.stack(parts) for parts in zip(*found))
    trust = weight = 1 / np.square(errors)
    for _ in range(_ROUNDS):
        mean = (weight[:, None] * values).sum(axis=0) / weight.sum(axis=0)
        apart = np.square(values - mean).mean(axis=1)
        weight = trust / (1 + apart * trust / _TAIL)
    apart = (weight * apart).sum(axis=0) / weight.sum(axis=0)
    return mean, _SURE * np.sqrt(1 / trust.sum(axis=0) + apart)


def detail_around(item: AnalysedFrame, at: Float[np.ndarray, "n 2"], pixels: PixelFormat) -> Float[np.ndarray, " n"]:
    """How far known samples around each place differ from what a plate over their neighbours says, in 8-bit units."""
    box = box_of(item.mask, _WIDE)
    assert box is not None
    plane = item.frame.planes[1 if pixels.kind == "rgb" else 0][box]
    luma = plane.astype(np.float32) * np.float32(255 * unit(plane, pixels))
    known = (~item.mask[box]).astype(np.float32)
    share = cv2.blur(known, (_WIDE, _WIDE))
    missed = cv2.blur(known * np.abs(bent(luma) - luma), (_WIDE, _WIDE)) / np.maximum(share, 1e-3)
    missed = push_pull_fill(missed[..., None], (share > 0.1).astype(np.float32))[..., 0]
    rows, columns = (
        np.clip(np.rint(at[:, axis]).astype(int) - side.start, 0, length - 1)
        for axis, side, length in zip((1, 0), box, missed.shape)
    )
    return missed[rows, columns]
