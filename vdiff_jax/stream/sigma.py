"""Measures a video's noise and its coding error, which the plan of a repair starts from."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.colour import from_rgb, noise_in_ycbcr
from vdiff_jax.preprocess.planes import normalised_samples
from vdiff_jax.stream.compression_error import block_steps, estimated_error, expected_error
from vdiff_jax.stream.noise import estimate_sigma, estimate_sigma_channels

CHROMA = 0.5
"""The error of chroma as a share of luma's, where it is estimated from the frames."""
_FRAMES = 8
"""Frames that the coding error is estimated from."""
BLOCKS = 0.7
"""From this result of `block_steps` on, blocks of 8 pixels are in the frames. Clean clips reach 0.6."""
BLOCKY = 5 / 255
"""The error of luma that is expected where there are blocks. `estimated_error` says little about JPEG's error."""
_LARGEST = 10_000_000
"""Pixels: the coding error of larger frames is measured in their middle."""
_SMALLEST = 32
"""Pixels: smaller frames do not show their coding error, nor smaller planes of chroma how noise is split."""
_WHITE = 0.6
"""Noise counts as white if chroma has at least this share of the noise that white noise would have in it."""
_VISIBLE = 0.5
"""Frames show how noise is split if they show this share of what white noise would have in luma; black ones do not."""
_MOST = 1_000_000
"""Samples: how noise is split is measured in the middle of larger planes."""
_MEDIAN = 0.6745
"""The median of the absolute value of normally distributed noise of standard deviation 1."""


class Coding(NamedTuple):
    """The error that coding left.

    Attributes:
      sigma: the mean error of Y', Cb and Cr in [0, 1].
      codec: the codec whose quantisers predict the error of each frame; `None` if it was estimated from the frames.
      why: how it was measured, as a sentence for the report.
      blocks: proof of the error: the result of `block_steps`, or infinity where the quantisers are known. An estimate
        without proof may be texture.
    """

    sigma: Float[np.ndarray, "3"]
    codec: str | None
    why: str
    blocks: float = math.inf


def measure_coding(frames: list[Frame], pixels: PixelFormat, codec: str) -> Coding:
    """The coding error of a video, from the stream's quantisers if it carries them, else from the decoded frames.

    Args:
      frames: some of its first frames.
      pixels: their pixel format.
      codec: its codec, as FFmpeg calls it.
    """
    quantisers = np.array([frame.quantiser for frame in frames], np.float32)
    known = quantisers[np.isfinite(quantisers)]
    if len(known) and scale_of(codec) is not None:
        sigma = np.sqrt(np.mean(expected_error(codec, known) ** 2, axis=0))
        sigma = sigma if pixels.kind != "gray" else sigma * np.array([1, 0, 0], np.float32)
        why = f"the mean {codec} quantiser is {known.mean():.1f}, so an error of {255 * sigma[0]:.1f} is expected"
        return Coding(sigma, codec, why)
    brightest = [_middle(frame.planes[1 if pixels.kind == "rgb" else 0]) for frame in frames[:_FRAMES]]
    luma = normalised_samples(np.stack(brightest), pixels, chroma=False)
    if min(luma.shape[1:]) < _SMALLEST:
        why = f"frames smaller than {_SMALLEST} pixels do not show how they were coded"
        return Coding(np.zeros(3, np.float32), None, why, blocks=0)
    chroma = 0.0 if pixels.kind == "gray" else CHROMA
    blocks = block_steps(luma)
    if blocks >= BLOCKS:
        error, why = BLOCKY, f"there are blocks of 8 pixels: an error of {255 * BLOCKY:.1f} is expected"
    else:
        error = estimated_error(luma)
        why = f"the stream carries no quantisers: the error was estimated from the frames as {255 * error:.1f}"
    return Coding(np.array([error, chroma * error, chroma * error], np.float32), None, why, blocks)


def _middle(plane: np.ndarray, most: int = _LARGEST) -> np.ndarray:
    """The middle of a plane of more than `most` samples, in whole blocks of 16×16: about so many."""
    excess = math.sqrt(plane.size / most)
    if excess <= 1:
        return plane
    rows, columns = (
        slice(int(side - side / excess) // 32 * 16, int(side + side / excess) // 32 * 16) for side in plane.shape
    )
    return plane[rows, columns]


def split_sigma(sigma: float, frames: list[Frame], pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """The standard deviation of Y', Cb and Cr, in [0, 1], under noise of this sigma in R'G'B'.

    White noise is in all three. Where the frames show noise in luma and clearly less in chroma, as under film grain or
    a codec, luma has the rest.

    Args:
      sigma: in [0, 1], the root mean square over R', G' and B'.
      frames: some of the video's first frames.
      pixels: their pixel format.
    """
    white = sigma_of_rgb(sigma, pixels)
    if pixels.kind == "gray" or not frames or min(frames[0].planes[2].shape) < _SMALLEST:
        return white
    luma, *chroma = _most_noise(frames[:_FRAMES], pixels)
    if luma < _VISIBLE * white[0] or np.sum(chroma) >= _WHITE * np.sum(white[1:]):
        return white
    weight = (sigma**2 - white[0] ** 2) / np.sum(np.square(white[1:]))
    rest = np.sqrt(max(sigma**2 - weight * np.sum(np.square(chroma)), 0))
    return np.array([rest, *chroma], np.float32)


def _most_noise(frames: list[Frame], pixels: PixelFormat) -> list[float]:
    """Upper bounds of the noise in Y', Cb and Cr: texture and motion count as noise.

    They are summed over four sizes, because noise that is correlated in space is weak in the finest detail.
    """
    clips = [np.stack([_middle(frame.planes[n], _MOST) for frame in frames]) for n in range(3)]
    clips = [normalised_samples(clip, pixels, chroma=pixels.kind != "rgb" and n > 0) for n, clip in enumerate(clips)]
    if pixels.kind == "rgb":
        clips = list(np.tensordot(from_rgb("bt601"), clips, 1))
    return [float(np.linalg.norm([_fine_noise(_reduced(clip, size)) for size in (1, 2, 4, 8)])) for clip in clips]


def _reduced(clip: Float[np.ndarray, "t h w"], size: int) -> Float[np.ndarray, "t h2 w2"]:
    """The means of blocks of `size` × `size` samples."""
    frames, height, width = clip.shape
    whole = clip[:, : height // size * size, : width // size * size]
    return whole.reshape(frames, height // size, size, width // size, size).mean(axis=(2, 4))


def _fine_noise(clip: Float[np.ndarray, "t h w"]) -> float:
    """The standard deviation of white noise that has as much fine detail."""
    detail = np.diff(clip, axis=0) / np.sqrt(2) if len(clip) > 1 else clip
    for axis in (-1, -2):
        detail = np.diff(detail, 2, axis=axis) / np.sqrt(6)
    return float(np.median(np.abs(detail))) / _MEDIAN


def measure_sigma(frames: list[Frame], pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """The standard deviation of the noise in Y', Cb and Cr, in [0, 1]; zero if frames are too small to measure it."""
    planes = [np.stack([f.planes[i] for f in frames]) for i in range(1 if pixels.kind == "gray" else 3)]
    if min(planes[0].shape[1:]) < 8:
        return np.zeros(3, np.float32)
    if pixels.kind == "rgb":
        rgb = np.stack([normalised_samples(plane, pixels, chroma=False) for plane in planes], axis=-1)
        return split_sigma(estimate_sigma(rgb), frames, pixels)
    sigma = [
        float(estimate_sigma_channels(normalised_samples(plane, pixels, chroma=index > 0)[..., None])[0])
        if min(plane.shape[1:]) >= 8
        else 0.0
        for index, plane in enumerate(planes)
    ]
    return np.array([*sigma, 0.0, 0.0][:3], np.float32)


def sigma_of_rgb(sigma: float, pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """The standard deviation of Y', Cb and Cr, in [0, 1], under white R'G'B' noise; subsampled chroma averages it."""
    if pixels.kind == "gray":
        return np.array([sigma, 0, 0], np.float32)
    matrix = "bt601" if pixels.kind == "rgb" else pixels.matrix
    channels = noise_in_ycbcr(sigma, matrix)
    channels[1:] /= np.sqrt(np.prod(pixels.subsampling))
    return channels.astype(np.float32)


def sigma_in_rgb(channels: Float[np.ndarray, "3"], pixels: PixelFormat) -> float:
    """The standard deviation of white R'G'B' noise with this noise in luma, in 8-bit units; what `--sigma` means."""
    if pixels.kind == "gray":
        return float(channels[0]) * 255
    matrix = "bt601" if pixels.kind == "rgb" else pixels.matrix
    return float(channels[0] / np.linalg.norm(from_rgb(matrix)[0])) * 255
