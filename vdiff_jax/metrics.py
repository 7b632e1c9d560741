"""Measures of a clip's quality against its reference, and of its change over time: pure, on arrays in [0, 1]."""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from vdiff_jax.pixels import Matrix
from vdiff_jax.preprocess.colour import from_rgb

_SSIM_RADIUS, _SSIM_SIGMA = 5, 1.5
_SSIM_C1, _SSIM_C2 = 0.01**2, 0.03**2


@jax.jit
def psnr(
    clip: Float[Array, "*b h w c"],
    reference: Float[Array, "*b h w c"],
    *,
    where: Bool[Array, "*#b h w #c"] | None = None,
) -> Float[Array, "*b"]:
    """The peak signal-to-noise ratio of each frame in dB, peak 1, over all channels together.

    Args:
      clip: the frames to measure.
      reference: the true frames.
      where: the samples that count, inside a mask for example; all by default.

    Returns:
      One figure a frame: infinite for equal frames, NaN where no sample counts.
    """
    error = jnp.mean((clip - reference) ** 2, axis=(-3, -2, -1), where=where)
    return -10 * jnp.log10(error)


@functools.partial(jax.jit, static_argnames="matrix")
def psnr_y(
    clip: Float[Array, "*b h w 3"], reference: Float[Array, "*b h w 3"], *, matrix: Matrix = "bt601"
) -> Float[Array, "*b"]:
    """The PSNR of each R'G'B' frame's luma in dB, in full range (peak 1), not the limited range of 16 to 235."""
    weights = from_rgb(matrix)[0]
    return psnr((clip @ weights)[..., None], (reference @ weights)[..., None])


@jax.jit
def ssim(clip: Float[Array, "*b h w c"], reference: Float[Array, "*b h w c"]) -> Float[Array, "*b"]:
    """The structural similarity of each frame, from -1 to 1 (equal), averaged over its channels.

    A Gaussian window of 11×11 samples (sigma 1.5) wherever it lies inside the frame, K1 = 0.01, K2 = 0.03. Source:
    Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural similarity",
    TIP 2004.

    Args:
      clip: the frames to measure, at least 11 pixels a side.
      reference: the true frames.
    """
    means = _window(clip), _window(reference)
    variances = _window(clip**2) - means[0] ** 2, _window(reference**2) - means[1] ** 2
    covariance = _window(clip * reference) - means[0] * means[1]
    luminance = (2 * means[0] * means[1] + _SSIM_C1) / (means[0] ** 2 + means[1] ** 2 + _SSIM_C1)
    structure = (2 * covariance + _SSIM_C2) / (variances[0] + variances[1] + _SSIM_C2)
    return jnp.mean(luminance * structure, axis=(-3, -2, -1))


def _window(image: Float[Array, "*b h w c"]) -> Float[Array, "*b h-10 w-10 c"]:
    """The local mean under SSIM's window."""
    offsets = jnp.arange(-_SSIM_RADIUS, _SSIM_RADIUS + 1)
    weights = jnp.exp(-(offsets**2) / (2 * _SSIM_SIGMA**2))
    weights = (weights / weights.sum()).astype(image.dtype)
    planes = jnp.moveaxis(image, -1, -3)
    means = planes.reshape(-1, 1, *planes.shape[-2:])
    for kernel in (weights[:, None], weights[None, :]):
        means = jax.lax.conv(means, kernel[None, None], (1, 1), "VALID", precision=jax.lax.Precision.HIGHEST)
    return jnp.moveaxis(means.reshape(*planes.shape[:-2], *means.shape[-2:]), -3, -1)


@jax.jit
def temporal_difference_error(
    clip: Float[Array, "*b t h w c"],
    reference: Float[Array, "*b t h w c"],
    *,
    where: Bool[Array, "*#b #t h w #c"] | None = None,
) -> Float[Array, "*b"]:
    """The error of a clip's change from frame to frame: the mean of |(xₜ₊₁ - xₜ) - (rₜ₊₁ - rₜ)|. Flicker raises it.

    Args:
      clip: at least two frames to measure.
      reference: the true frames. Zeros give the clip's own change over time.
      where: the samples that count, for each pair of frames (t is one less) or for all (t is 1); all by default.
    """
    difference = jnp.abs(jnp.diff(clip - reference, axis=-4))
    return jnp.mean(difference, axis=(-4, -3, -2, -1), where=where)


@jax.jit
def warping_error(
    clip: Float[Array, "*b t h w c"],
    flow: Float[Array, "*b t-1 h w 2"],
    *,
    where: Bool[Array, "*#b #t h w #c"] | None = None,
) -> Float[Array, "*b"]:
    """The change of a clip along the motion: the mean of |xₜ₊₁(p + v(p)) - xₜ(p)|, sampled bilinearly.

    Compare it with the figure of the reference: both contain occlusions and the errors of the flow. Source: Lai et al.,
    "Learning blind video temporal consistency", ECCV 2018, in the absolute norm.

    Args:
      clip: at least two frames.
      flow: the displacement (x, y) in pixels from each pixel of frame t to its place in frame t + 1, best measured on
        the reference. Pixels that it takes outside the picture do not count.
      where: the samples that count, for each pair of frames (t is one less) or for all (t is 1); all by default.
    """
    height, width = flow.shape[-3:-1]
    x = flow[..., 0] + jnp.broadcast_to(jnp.arange(width), flow.shape[:-1])
    y = flow[..., 1] + jnp.broadcast_to(jnp.arange(height)[:, None], flow.shape[:-1])
    inside = ((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))[..., None]
    moved = _sample(clip[..., 1:, :, :, :], y, x)
    counted = inside if where is None else inside & where
    difference = jnp.abs(moved - clip[..., :-1, :, :, :])
    return jnp.mean(difference, axis=(-4, -3, -2, -1), where=jnp.broadcast_to(counted, difference.shape))


def _sample(image: Float[Array, "*b h w c"], y: Float[Array, "*b h w"], x: Float[Array, "*b h w"]):
    """The image at fractional points, by bilinear interpolation; the border is repeated outside."""

    def sample_plane(plane: Array, y: Array, x: Array) -> Array:
        return jax.scipy.ndimage.map_coordinates(plane, [y, x], order=1, mode="nearest")

    channels_in_front = jax.vmap(sample_plane, in_axes=(-1, None, None), out_axes=-1)
    flat = [array.reshape(-1, *array.shape[array.ndim - rank :]) for array, rank in ((image, 3), (y, 2), (x, 2))]
    return jax.vmap(channels_in_front)(*flat).reshape(image.shape)


@jax.jit
def mean_flow(flow: Float[Array, "*b h w 2"]) -> Float[Array, "*b"]:
    """The mean length of each frame's displacements, in the flow's unit (pixels a frame)."""
    return jnp.mean(jnp.sqrt(jnp.sum(flow**2, axis=-1)), axis=(-2, -1))
