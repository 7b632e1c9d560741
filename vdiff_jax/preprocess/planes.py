"""From a video's planes to the clip that the network sees: range, luma and chroma on one grid, padding."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.preprocess.colour import rgb_to_ycbcr

Planes = tuple[Array, ...]


def clip_of_planes(planes: Planes, pixels: PixelFormat, multiple: int) -> Float[Array, "*b h w 3"]:
    """Y'CbCr in [0, 1] with chroma centred at 0.5, in the planes' own matrix (BT.601 for R'G'B').

    Args:
      planes: `*b h w` each, integers as `pixels` says, or floats in [0, 1]; alpha is left out.
      pixels: what they mean.
      multiple: height and width are padded to a multiple of it by repeating the last row and column.
    """
    height, width = planes[0].shape[-2:]
    colour = [levels(plane, pixels, chroma=False) for plane in planes[: 3 if pixels.kind == "rgb" else 1]]
    if pixels.kind == "rgb":
        clip = rgb_to_ycbcr(jnp.stack(colour, axis=-1))
    elif pixels.kind == "gray":
        clip = jnp.stack([colour[0], jnp.full_like(colour[0], 0.5), jnp.full_like(colour[0], 0.5)], axis=-1)
    else:
        x, y = pixels.subsampling
        chroma = [levels(plane, pixels, chroma=True).repeat(y, -2).repeat(x, -1) for plane in planes[1:3]]
        clip = jnp.stack([colour[0], *(plane[..., :height, :width] for plane in chroma)], axis=-1)
    return pad(clip, multiple)


def levels(
    plane: Array | np.ndarray, pixels: PixelFormat, *, chroma: bool
) -> Float[Array, "*b h w"] | Float[np.ndarray, "*b h w"]:
    """Samples as numbers in [0, 1], 0.5 being neutral chroma; NumPy's stay NumPy's."""
    if jnp.issubdtype(plane.dtype, jnp.floating):
        return plane.astype(jnp.float32)
    zero, span = sample_range(pixels, chroma=chroma)
    return (plane.astype(jnp.float32) - zero) / span + (0.5 if chroma else 0.0)


def sample_range(pixels: PixelFormat, *, chroma: bool) -> tuple[float, float]:
    """The sample of level 0 (neutral chroma), and how many samples span 1. Source: ITU-R BT.2100 table 9."""
    unit = 1 << (pixels.bits - 8)
    if chroma:
        return 128.0 * unit, float(pixels.peak if pixels.full_range else 224 * unit)
    return (0.0, float(pixels.peak)) if pixels.full_range else (16.0 * unit, 219.0 * unit)


def chroma_scale(pixels: PixelFormat) -> tuple[int, int]:
    """Pixels that a sample of chroma stands for, (y, x)."""
    x, y = pixels.subsampling
    return y, x


def chroma_shift(pixels: PixelFormat) -> tuple[float, float]:
    """Where chroma's grid begins on luma's, in pixels (y, x): one that is centred on its pixels begins at 0.

    Video's samples lie on the first of theirs across, and between them down (MPEG-2's siting); a full-range picture's
    (JPEG) between them both ways.
    """
    x = pixels.subsampling[0]
    return 0.0, 0.0 if pixels.full_range else (1 - x) / 2


def pad(clip: Float[Array, "*b h w c"], multiple: int) -> Float[Array, "*b h2 w2 c"]:
    """Repeats the last row and column until height and width are multiples of `multiple`."""
    height, width = clip.shape[-3:-1]
    rest = ((0, -height % multiple), (0, -width % multiple), (0, 0))
    return jnp.pad(clip, [(0, 0)] * (clip.ndim - 3) + list(rest), mode="edge")


def known_of_mask(mask: Array, pixels: PixelFormat, multiple: int) -> Float[Array, "*b h w 3"]:
    """1 where a sample is known, for a mask `*b h w` that is 1 where it is not.

    Subsampled chroma is known where none of the pixels it stands for is masked.
    """
    return 1.0 - _with_chroma(mask.astype(jnp.float32), pixels, multiple)


CHROMA_ERROR = 0.5
"""Chroma's error beside luma's where both were guessed."""


def sigma_of_error(error: Array, pixels: PixelFormat, multiple: int) -> Float[Array, "*b h w 3"]:
    """Each channel's error for luma's, `*b h w`, 0 where that is infinite; chroma takes its pixels' greatest."""
    errors = _with_chroma(jnp.where(jnp.isinf(error), 0.0, error), pixels, multiple)
    return errors * jnp.array([1.0, CHROMA_ERROR, CHROMA_ERROR]).reshape((1,) * error.ndim + (3,))


def _with_chroma(luma: Float[Array, "*b h w"], pixels: PixelFormat, multiple: int) -> Float[Array, "*b h2 w2 3"]:
    """Luma's number for each channel; chroma that stands for several pixels takes the greatest of theirs."""
    chroma = luma
    if pixels.kind == "yuv" and pixels.subsampling != (1, 1):
        x, y = pixels.subsampling
        *batch, height, width = luma.shape
        rest = [(0, 0)] * len(batch) + [(0, -height % y), (0, -width % x)]
        padded = jnp.pad(luma, rest, mode="edge")
        blocks = padded.reshape(*batch, padded.shape[-2] // y, y, padded.shape[-1] // x, x).max(axis=(-3, -1))
        chroma = blocks.repeat(y, -2).repeat(x, -1)[..., :height, :width]
    return pad(jnp.stack([luma, chroma, chroma], axis=-1), multiple)
