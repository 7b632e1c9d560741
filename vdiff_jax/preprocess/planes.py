"""Converts a video's planes to the clip that the network sees: range, luma and chroma on one grid, padding."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.preprocess.colour import rgb_to_ycbcr

Planes = tuple[Array, ...]


def clip_of_planes(planes: Planes, pixels: PixelFormat, multiple: int) -> Float[Array, "*b h w 3"]:
    """Planes as Y'CbCr in [0, 1] with chroma centred at 0.5, in the planes' own matrix (BT.601 for R'G'B').

    Args:
      planes: `*b h w` each, integers in the format `pixels`, or floats in [0, 1]; alpha is left out.
      pixels: the planes' pixel format.
      multiple: height and width are padded to a multiple of it by repeating the last row and column.
    """
    height, width = planes[0].shape[-2:]
    colour = [normalised_samples(plane, pixels, chroma=False) for plane in planes[: 3 if pixels.kind == "rgb" else 1]]
    if pixels.kind == "rgb":
        clip = rgb_to_ycbcr(jnp.stack(colour, axis=-1))
    elif pixels.kind == "gray":
        clip = jnp.stack([colour[0], jnp.full_like(colour[0], 0.5), jnp.full_like(colour[0], 0.5)], axis=-1)
    else:
        x, y = pixels.subsampling
        chroma = [normalised_samples(plane, pixels, chroma=True).repeat(y, -2).repeat(x, -1) for plane in planes[1:3]]
        clip = jnp.stack([colour[0], *(plane[..., :height, :width] for plane in chroma)], axis=-1)
    return pad(clip, multiple)


def normalised_samples(
    plane: Array | np.ndarray, pixels: PixelFormat, *, chroma: bool
) -> Float[Array, "*b h w"] | Float[np.ndarray, "*b h w"]:
    """Samples as floats in [0, 1], neutral chroma at 0.5.

    Args:
      plane: integers in the format `pixels`, or floats, which stay as they are. A NumPy array gives a NumPy array, so
        that the host needs no copy to a device.
      pixels: the plane's pixel format.
      chroma: whether the plane is Cb or Cr.
    """
    if jnp.issubdtype(plane.dtype, jnp.floating):
        return plane.astype(jnp.float32)
    zero, span = sample_range(pixels, chroma=chroma)
    return (plane.astype(jnp.float32) - zero) / span + (0.5 if chroma else 0.0)


def sample_range(pixels: PixelFormat, *, chroma: bool) -> tuple[float, float]:
    """The sample value of 0 (of neutral chroma), and how many values lie between 0 and 1. Source: BT.2100 table 9."""
    unit = 1 << (pixels.bits - 8)
    if chroma:
        return 128.0 * unit, float(pixels.peak if pixels.full_range else 224 * unit)
    return (0.0, float(pixels.peak)) if pixels.full_range else (16.0 * unit, 219.0 * unit)


def chroma_scale(pixels: PixelFormat) -> tuple[int, int]:
    """Pixels that a chroma sample stands for, (y, x)."""
    x, y = pixels.subsampling
    return y, x


def chroma_shift(pixels: PixelFormat) -> tuple[float, float]:
    """The offset of chroma's grid from luma's, in pixels (y, x); 0 where a sample lies in the middle of its pixels.

    Chroma samples of video lie on the first of their pixels in x and between them in y (MPEG-2's siting); those of
    full-range pictures (JPEG) lie between them in both.
    """
    x = pixels.subsampling[0]
    return 0.0, 0.0 if pixels.full_range else (1 - x) / 2


def pad(clip: Float[Array, "*b h w c"], multiple: int) -> Float[Array, "*b h2 w2 c"]:
    """Repeats the last row and column until height and width are multiples of `multiple`."""
    height, width = clip.shape[-3:-1]
    rest = ((0, -height % multiple), (0, -width % multiple), (0, 0))
    return jnp.pad(clip, [(0, 0)] * (clip.ndim - 3) + list(rest), mode="edge")


def known_of_mask(mask: Array, pixels: PixelFormat, multiple: int) -> Float[Array, "*b h w 3"]:
    """What is known of a clip, per channel: 0 under the mask, 1 elsewhere; padded as `clip_of_planes` pads.

    Args:
      mask: `*b h w`, 1 (or True) where the picture is unknown. A chroma sample is unknown where any of its pixels is.
      pixels: the planes' pixel format.
      multiple: as in `clip_of_planes`.
    """
    return 1.0 - _with_chroma(mask.astype(jnp.float32), pixels, multiple)


CHROMA_ERROR = 0.5
"""The expected error of filled chroma as a share of filled luma's."""


def sigma_of_error(error: Array, pixels: PixelFormat, multiple: int) -> Float[Array, "*b h w 3"]:
    """The expected error of each channel; padded as `clip_of_planes` pads.

    Args:
      error: luma's, `*b h w`, in [0, 1]; where it is infinite the result is 0. A chroma sample takes the largest error
        of its pixels, times `CHROMA_ERROR`.
      pixels: the planes' pixel format.
      multiple: as in `clip_of_planes`.
    """
    errors = _with_chroma(jnp.where(jnp.isinf(error), 0.0, error), pixels, multiple)
    return errors * jnp.array([1.0, CHROMA_ERROR, CHROMA_ERROR]).reshape((1,) * error.ndim + (3,))


def _with_chroma(luma: Float[Array, "*b h w"], pixels: PixelFormat, multiple: int) -> Float[Array, "*b h2 w2 3"]:
    """Luma's values for each channel, padded; a subsampled chroma sample takes the largest value of its pixels."""
    chroma = luma
    if pixels.kind == "yuv" and pixels.subsampling != (1, 1):
        x, y = pixels.subsampling
        *batch, height, width = luma.shape
        rest = [(0, 0)] * len(batch) + [(0, -height % y), (0, -width % x)]
        padded = jnp.pad(luma, rest, mode="edge")
        blocks = padded.reshape(*batch, padded.shape[-2] // y, y, padded.shape[-1] // x, x).max(axis=(-3, -1))
        chroma = blocks.repeat(y, -2).repeat(x, -1)[..., :height, :width]
    return pad(jnp.stack([luma, chroma, chroma], axis=-1), multiple)
