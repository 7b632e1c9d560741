"""Measures a video's noise and its coding error before anything is repaired."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.colour import from_rgb, noise_in_ycbcr
from vdiff_jax.preprocess.planes import levels
from vdiff_jax.stream.compression_error import estimated_error, expected_error
from vdiff_jax.stream.noise import estimate_sigma, estimate_sigma_channels

CHROMA = 0.5
"""Its error beside luma's, as far as the frames can tell."""


_LOOKED_AT = 8


_SMALLEST = 32


class Coding(NamedTuple):
    """What coding did: the mean error of Y', Cb and Cr in levels, and the codec whose quantisers tell it, if any."""

    sigma: Float[np.ndarray, "3"]
    codec: str | None
    why: str


def measure_coding(frames: list[Frame], pixels: PixelFormat, codec: str) -> Coding:
    """From the stream's quantisers where it tells them, else from the frames."""
    quantisers = np.array([frame.quantiser for frame in frames], np.float32)
    told = quantisers[np.isfinite(quantisers)]
    if len(told) and scale_of(codec) is not None:
        sigma = np.sqrt(np.mean(expected_error(codec, told) ** 2, axis=0))
        sigma = sigma if pixels.kind != "gray" else sigma * np.array([1, 0, 0], np.float32)
        why = f"{codec}'s quantiser, {told.mean():.1f} by the stream, lets expect an error of {255 * sigma[0]:.1f}"
        return Coding(sigma, codec, why)
    brightest = [frame.planes[1 if pixels.kind == "rgb" else 0] for frame in frames[:_LOOKED_AT]]
    luma = levels(np.stack(brightest), pixels, chroma=False)
    if min(luma.shape[1:]) < _SMALLEST:
        return Coding(np.zeros(3, np.float32), None, "frames this small tell nothing of how they were coded")
    error = estimated_error(luma)
    chroma = 0.0 if pixels.kind == "gray" else CHROMA
    why = f"the stream tells no quantisers: an error of {255 * error:.1f} was estimated from the frames"
    return Coding(np.array([error, chroma * error, chroma * error], np.float32), None, why)


def measure_sigma(frames: list[Frame], pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """The standard deviation of the noise in Y', Cb and Cr, in levels."""
    planes = [np.stack([f.planes[i] for f in frames]) for i in range(1 if pixels.kind == "gray" else 3)]
    if min(planes[0].shape[1:]) < 8:
        return np.zeros(3, np.float32)
    if pixels.kind == "rgb":
        rgb = np.stack([levels(plane, pixels, chroma=False) for plane in planes], axis=-1)
        return noise_in_ycbcr(estimate_sigma(rgb)).astype(np.float32)
    sigma = [
        float(estimate_sigma_channels(levels(plane, pixels, chroma=index > 0)[..., None])[0])
        if min(plane.shape[1:]) >= 8
        else 0.0
        for index, plane in enumerate(planes)
    ]
    return np.array([*sigma, 0.0, 0.0][:3], np.float32)


def sigma_of_rgb(sigma: float, pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """What white R'G'B' noise becomes in the planes; subsampled chroma averages it."""
    if pixels.kind == "gray":
        return np.array([sigma, 0, 0], np.float32)
    matrix = "bt601" if pixels.kind == "rgb" else pixels.matrix
    channels = noise_in_ycbcr(sigma, matrix)
    channels[1:] /= np.sqrt(np.prod(pixels.subsampling))
    return channels.astype(np.float32)


def sigma_in_rgb(channels: Float[np.ndarray, "3"], pixels: PixelFormat) -> float:
    """Luma's noise as that of white R'G'B' noise, in 8-bit units."""
    if pixels.kind == "gray":
        return float(channels[0]) * 255
    matrix = "bt601" if pixels.kind == "rgb" else pixels.matrix
    return float(channels[0] / np.linalg.norm(from_rgb(matrix)[0])) * 255
