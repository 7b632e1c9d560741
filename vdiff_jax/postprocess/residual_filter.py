"""Repair's Wiener step: a linear filter of the network's result and its residual, fitted to training clips.

u ← u + Σ c L(u) + Σ c R(y - u), with y the frame that the network was given and u its result. L are differences in
space and along the optical flow. R are samples of the residual, of this frame and those around it: the network removes
a little of the picture with the noise, and neighbouring frames show which part that is. Luma's coefficients c depend
on the sample's class: its activity, the direction of its gradient, and how well the neighbouring frames fit. As in a
Wiener filter, they are fitted by least squares.

R'G'B' is filtered as Y'CbCr. Its white noise is correlated between these planes, so the residual of chroma tells of
luma's noise, and the other way round.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.differences import integer_scale
from vdiff_jax.postprocess.residual_operators import (
    AT_EACH_DISTANCE,
    CHROMA_IN_SPACE,
    COLOURS,
    RestoredWindow,
    restored_windows,
)
from vdiff_jax.postprocess.wiener import spans, stored_samples, used_of, weighted
from vdiff_jax.preprocess.colour import to_rgb
from vdiff_jax.stream.samples import peak_sample, to_samples


class Coefficients(NamedTuple):
    """The coefficients for one expected error; `WienerModel` has these for several, along a first axis.

    Attributes:
      left: the expected error of the network's luma. A model has it in 8-bit units, else it is in samples.
      luma: of luma's operators, for each class.
      chroma: of chroma's operators, for Cb and Cr; after the first `CHROMA_IN_SPACE`, those along the motion.
    """

    left: Float[np.ndarray, "*n"]
    luma: Float[np.ndarray, "*n classes k"]
    chroma: Float[np.ndarray, "*n 2 k2"]

    @property
    def reach(self) -> int:
        """The frames before and after a frame that its result depends on."""
        return (self.chroma.shape[-1] - CHROMA_IN_SPACE) // AT_EACH_DISTANCE


class WienerModel(NamedTuple):
    """The coefficients for any expected error: those of several errors, and between these straight lines over log2.

    Attributes:
      errors: the expected errors of luma before the network, in 8-bit units, ascending.
      stored: for Y'CbCr as it is in files, and for grey.
      rgb: for R'G'B'.
    """

    errors: Float[np.ndarray, " n"]
    stored: Coefficients
    rgb: Coefficients

    def filter_for(self, error: float, pixels: PixelFormat, *, shared: bool = True) -> Coefficients:
        """The coefficients for one video; below the first error and above the last one, theirs.

        Args:
          error: the expected error of luma before the network, in [0, 1].
          pixels: the planes' pixel format.
          shared: whether luma and chroma share noise, if the format is R'G'B'.
        """
        rgb = pixels.kind == "rgb"
        place = np.interp(np.log2(max(255 * error, 1e-3)), np.log2(self.errors), np.arange(len(self.errors)))
        below = min(int(place), len(self.errors) - 2)
        first, second = (1 - (place - below)), place - below
        found = [first * part[below] + second * part[below + 1] for part in (self.rgb if rgb else self.stored)]
        unit = 1.0 if rgb else float(spans(pixels)[0]) / 255
        if rgb and not shared:
            luma = first * self.stored.luma[below] + second * self.stored.luma[below + 1]
            found[1] = np.pad(luma, [(0, 0), (0, COLOURS)])
        return Coefficients(np.maximum(found[0] * unit, 1e-3), found[1], found[2])


def residual_wiener_step(
    frames: Iterable[Frame], pixels: PixelFormat, coefficients: Coefficients, unshared: Coefficients | None = None
) -> Iterator[Frame]:
    """The network's frames after the Wiener step, `coefficients.reach` frames behind its input. Alpha is unchanged.

    Args:
      frames: the network's results, with the planes that they were made from.
      pixels: their pixel format.
      coefficients: of the step.
      unshared: those for R'G'B' frames whose luma and chroma share no noise, as under film grain.
    """
    for window in restored_windows(frames, pixels, coefficients.reach):
        own = coefficients if unshared is None or window.noise_is_shared() else unshared
        planes = (_changed_rgb if pixels.kind == "rgb" else _changed)(window, own, pixels)
        frame = window.frame
        yield dataclasses.replace(frame, planes=(*planes, *frame.planes[len(planes) :]), given=())


def _changed(window: RestoredWindow, coefficients: Coefficients, pixels: PixelFormat) -> list[np.ndarray]:
    """The frame's planes after the step, in strips of rows."""
    planes, classes = window.frame.planes[: window.count], window.classes()
    changed = [np.empty_like(plane) for plane in planes]
    for index, (plane, new) in enumerate(zip(planes, changed)):
        for rows in window.window.strips(index):
            if index == 0:
                change = _luma_change(window, rows, coefficients, classes)
            else:
                change = _chroma_change(window, index, rows, coefficients)
            new[rows] = stored_samples(integer_scale(plane[rows], pixels) + change, plane, pixels)
    return changed


def _changed_rgb(window: RestoredWindow, coefficients: Coefficients, pixels: PixelFormat) -> list[np.ndarray]:
    """As `_changed`, for R', G' and B'. The step's change of Y'CbCr, in 8-bit units, is added to them."""
    planes, classes = window.frame.planes[: window.count], window.classes()
    changed = [np.empty_like(plane) for plane in planes]
    for rows in window.window.strips(0):
        luma = _luma_change(window, rows, coefficients, classes)
        chroma = [_chroma_change(window, index, rows, coefficients) for index in (1, 2)]
        for plane, new, (_, cb, cr) in zip(planes, changed, to_rgb("bt601")):
            change = (luma + cb * chroma[0] + cr * chroma[1]) * np.float32(peak_sample(plane, pixels) / 255)
            new[rows] = to_samples(plane[rows].astype(np.float32) + change, plane.dtype, pixels)
    return changed


def _luma_change(
    window: RestoredWindow, rows: slice, coefficients: Coefficients, classes: UInt8[np.ndarray, "h w"]
) -> Float[np.ndarray, "r w"]:
    """What the step adds to some rows of luma, in samples."""
    left, used, parts = float(coefficients.left), used_of(coefficients.luma), []
    around = window.along_motion(rows, left)
    for part in window.cached_strips(0, rows):
        terms, numbers = window.luma(part, left, around, classes, rows.start)
        parts.append(weighted(terms, used, numbers))
    return np.concatenate(parts)


def _chroma_change(
    window: RestoredWindow, index: int, rows: slice, coefficients: Coefficients
) -> Float[np.ndarray, "r w"]:
    """What the step adds to some rows of plane `index`, in samples."""
    own = coefficients.chroma[index - 1][None]
    in_space, along_motion = used_of(own[:, :CHROMA_IN_SPACE]), used_of(own[:, CHROMA_IN_SPACE:])
    parts = [weighted(window.chroma(index, part), in_space) for part in window.cached_strips(index, rows)]
    change = np.concatenate(parts)
    if along_motion:
        change += weighted(window.chroma_along_motion(index, rows, float(coefficients.left)), along_motion)
    return change
