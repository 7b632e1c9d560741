"""From what the network changed back to a video's planes: what it left alone stays the very same sample."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdiff_jax.media.pixels import PixelFormat
from vdiff_jax.preprocess.colour import to_rgb
from vdiff_jax.preprocess.planes import Planes, sample_range


def changed_planes(planes: Planes, change: Float[Array, "*b h w 3"], pixels: PixelFormat) -> Planes:
    """The planes with a change of Y'CbCr added, clipped and rounded to samples; alpha as it was.

    Chroma that stands for several pixels takes the mean of their changes, the inverse of repeating it: a change of
    zero leaves every plane as it was, bit for bit.

    Args:
      planes: `*b h w` each, the source's.
      change: result minus source, padded or not.
      pixels: what the planes mean.
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


def _add(plane: Array, delta: Float[Array, "*b h w"], pixels: PixelFormat, *, chroma: bool) -> Array:
    if jnp.issubdtype(plane.dtype, jnp.floating):
        return plane + delta
    span = sample_range(pixels, chroma=chroma)[1]
    return jnp.clip(jnp.round(plane + delta * span), 0, pixels.peak).astype(plane.dtype)


def _block_mean(delta: Float[Array, "*b h w"], subsampling: tuple[int, int]) -> Float[Array, "*b h2 w2"]:
    """The mean over each chroma sample's pixels; fewer of them at an odd edge."""
    x, y = subsampling
    *batch, height, width = delta.shape
    pad = [(0, 0)] * len(batch) + [(0, -height % y), (0, -width % x)]
    blocks = jnp.pad(delta, pad).reshape(*batch, -(-height // y), y, -(-width // x), x).sum(axis=(-3, -1))
    counts = np.outer(_counts(height, y), _counts(width, x)).astype(np.float32)
    return blocks / counts.reshape((1,) * len(batch) + counts.shape)


def _counts(length: int, factor: int) -> np.ndarray:
    return np.minimum(factor, length - factor * np.arange(-(-length // factor)))
