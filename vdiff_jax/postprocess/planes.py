"""Converts the network's result back to a video's planes; samples that it did not change stay identical."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdiff_jax.pixels import PixelFormat
from vdiff_jax.preprocess.colour import to_rgb, ycbcr_to_rgb
from vdiff_jax.preprocess.planes import Planes, chroma_scale, chroma_shift, sample_range
from vdiff_jax.preprocess.resample import resample


def changed_planes(planes: Planes, change: Float[Array, "*b h w 3"], pixels: PixelFormat) -> Planes:
    """The planes with a change of Y'CbCr added, clipped and rounded to samples; alpha is unchanged.

    A chroma sample takes the mean change of its pixels, the inverse of repeating it. A change of zero leaves every
    plane as it was, bit for bit.

    Args:
      planes: the source's, `*b h w` each.
      change: result minus source, in [0, 1], padded or not.
      pixels: the planes' pixel format.
    """
    height, width = planes[0].shape[-2:]
    change = change[..., :height, :width, :]
    if pixels.kind == "rgb":
        rgb = change @ to_rgb("bt601").T
        colours = [_add(plane, rgb[..., i], pixels, chroma=False) for i, plane in enumerate(planes[:3])]
    else:
        colours = [_add(planes[0], change[..., 0], pixels, chroma=False)]
    if pixels.kind == "yuv":
        small = [_block_mean(change[..., i], pixels.subsampling) for i in (1, 2)]
        colours += [_add(plane, delta, pixels, chroma=True) for plane, delta in zip(planes[1:3], small)]
    return (*colours, *planes[len(colours) :])


def planes_of_clip(
    clip: Float[Array, "*b h w 3"], pixels: PixelFormat, size: tuple[int, int], *, dtype: jnp.dtype
) -> Planes:
    """A Y'CbCr clip as planes of any size, by the antialiased bicubic filter; without alpha.

    Args:
      clip: without padding, in the planes' matrix (in BT.601 for R'G'B').
      pixels: the planes' pixel format.
      size: height and width of luma.
      dtype: of the planes; floats are neither clipped nor rounded.
    """
    if pixels.kind == "rgb":
        colours = ycbcr_to_rgb(clip)
        return tuple(_samples(resample(colours[..., i], size), pixels, dtype, chroma=False) for i in range(3))
    luma = _samples(resample(clip[..., 0], size), pixels, dtype, chroma=False)
    if pixels.kind == "gray":
        return (luma,)
    scale, shift = chroma_scale(pixels), chroma_shift(pixels)
    ratio = [new / old for new, old in zip(size, clip.shape[-3:-1])]
    small = [
        resample(
            clip[..., i],
            tuple(-(-side // s) for side, s in zip(size, scale)),
            scale=tuple(r / s for r, s in zip(ratio, scale)),
            shift=tuple(-offset / s for offset, s in zip(shift, scale)),
        )
        for i in (1, 2)
    ]
    return (luma, *(_samples(plane, pixels, dtype, chroma=True) for plane in small))


def _samples(plane: Float[Array, "*b h w"], pixels: PixelFormat, dtype: jnp.dtype, *, chroma: bool) -> Array:
    """The inverse of `normalised_samples`."""
    if jnp.issubdtype(dtype, jnp.floating):
        return plane.astype(dtype)
    zero, span = sample_range(pixels, chroma=chroma)
    centred = plane - 0.5 if chroma else plane
    return jnp.clip(jnp.round(centred * span + zero), 0, pixels.peak).astype(dtype)


def _add(plane: Array, delta: Float[Array, "*b h w"], pixels: PixelFormat, *, chroma: bool) -> Array:
    if jnp.issubdtype(plane.dtype, jnp.floating):
        return plane + delta
    span = sample_range(pixels, chroma=chroma)[1]
    return jnp.clip(jnp.round(plane + delta * span), 0, pixels.peak).astype(plane.dtype)


def _block_mean(delta: Float[Array, "*b h w"], subsampling: tuple[int, int]) -> Float[Array, "*b h2 w2"]:
    """The mean over each chroma sample's pixels; at an odd edge over those that exist."""
    x, y = subsampling
    *batch, height, width = delta.shape
    pad = [(0, 0)] * len(batch) + [(0, -height % y), (0, -width % x)]
    blocks = jnp.pad(delta, pad).reshape(*batch, -(-height // y), y, -(-width // x), x).sum(axis=(-3, -1))
    counts = np.outer(_counts(height, y), _counts(width, x)).astype(np.float32)
    return blocks / counts.reshape((1,) * len(batch) + counts.shape)


def _counts(length: int, factor: int) -> np.ndarray:
    return np.minimum(factor, length - factor * np.arange(-(-length // factor)))
