"""Decides what a video needs: which tasks, with which sigma, and why."""

import dataclasses
import logging
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import MaskError, OptionError
from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.preprocess.coding import estimated_error, expected_error
from vdiff_jax.preprocess.colour import from_rgb, noise_in_ycbcr
from vdiff_jax.preprocess.noise import estimate_sigma, estimate_sigma_channels
from vdiff_jax.preprocess.planes import levels
from vdiff_jax.tasks.denoise import STRONGEST

log = logging.getLogger(__name__)

TASKS = ("auto", "denoise", "deblock", "inpaint")
CLEAN = 1.5 / 255
"""Noise below this is left alone unless sigma is given: it can't be told from fine texture."""
VISIBLE = 3 / 255
"""Luma's error from which a video counts as visibly compressed."""
CHROMA = 0.5
"""Its error beside luma's, as far as the frames can tell."""
_LOOKED_AT = 8
_SMALLEST = 32
LOSSLESS = frozenset({"", "ffv1", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "png", "gif", "qtrle", "magicyuv"})
"""Codecs that leave no error; "" is pictures and arrays."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What will be done to a video.

    Attributes:
      tasks: the tasks, in the table's words; none where the video is left as it is.
      weights: the name of the weights.
      sigma: the expected error of Y', Cb and Cr, in levels; its mean where it differs from frame to frame.
      sigma_rgb: the same as one figure, that of white R'G'B' noise, in 8-bit units.
      why: a sentence for people.
      codec: whose quantisers tell each frame's error; None where `sigma` is that of all.
    """

    tasks: tuple[str, ...]
    weights: str
    sigma: Float[np.ndarray, "3"]
    sigma_rgb: float
    why: str
    codec: str | None = None

    def sigma_of(self, quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """Each frame's expected error; its quantiser is NaN where the stream doesn't tell."""
        everywhere = np.broadcast_to(self.sigma, (len(quantisers), 3)).astype(np.float32)
        if self.codec is None:
            return everywhere
        told = np.isfinite(quantisers)[:, None] & (self.sigma > 0)  # a grey video has no chroma
        return np.where(told, expected_error(self.codec, np.nan_to_num(quantisers)), everywhere)

    def report(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "tasks": list(self.tasks),
            "weights": self.weights,
            "sigma": round(self.sigma_rgb, 2),
            "sigma_ycbcr": [round(float(s) * 255, 2) for s in self.sigma],
            "why": self.why,
        }


def make_plan(
    task: str,
    frames: list[Frame],
    pixels: PixelFormat,
    *,
    masked: bool,
    sigma: float | int | None,
    weights: str,
    codec: str = "",
) -> Plan:
    """The plan for a video.

    Args:
      task: "auto" or a task.
      frames: some of its first frames, that noise is measured on.
      pixels: what their planes mean.
      masked: a mask is given.
      sigma: the noise in 8-bit units as far as the caller knows it.
      weights: the name of the weights.
      codec: FFmpeg's name of what the frames were coded with; "" for pictures and arrays.

    Raises:
      OptionError: an unknown task, a sigma outside 0 to 255.
      MaskError: inpaint without a mask.
    """
    if task not in TASKS:
        raise OptionError(f"unknown task {task}: take one of {', '.join(TASKS)}")
    if task == "inpaint" and not masked:
        raise MaskError(
            "inpaint needs to know what to repair: pass --mask with a picture or a video that is white there"
        )
    if sigma is not None and not 0 <= sigma <= 255:
        raise OptionError(f"sigma {sigma} is out of range: it is in 8-bit units, 0 to 255")
    holes = ("inpaint",) if masked else ()
    reason = "a mask says what to fill" if masked else ""
    coding, cleaning = None, "denoise"
    if sigma is not None:
        channels, why = _of_rgb(sigma / 255, pixels), f"sigma {sigma:g} was given"
        cleaning = "deblock" if task == "deblock" else cleaning
    elif task == "inpaint":
        channels, why = np.zeros(3, np.float32), "nothing but the holes is to change"
    elif task == "deblock":
        coding = measure_coding(frames, pixels, codec)
    else:
        channels = measure_sigma(frames, pixels)
        why = f"sigma {_rgb(channels, pixels):.1f} was measured"
        if task == "auto" and codec not in LOSSLESS:
            coding = measure_coding(frames, pixels, codec)
            if coding.sigma[0] < max(VISIBLE, channels[0]):
                coding = None
    if coding is not None:
        channels, why, cleaning = coding.sigma, coding.why, "deblock"
    if _rgb(channels, pixels) > STRONGEST * 255:
        log.warning("sigma %.0f is more than the weights know: taken as %.0f", _rgb(channels, pixels), STRONGEST * 255)
        channels = channels * (STRONGEST * 255 / _rgb(channels, pixels))
    if sigma is None and task in ("auto", "deblock") and _rgb(channels, pixels) < CLEAN * 255:
        why, channels = f"{why}: clean enough to be left as it is", np.zeros(3, np.float32)
    why = "; ".join(part for part in (reason, why) if part)
    return Plan(
        tasks=holes + ((cleaning,) if channels.max() > 0 else ()),
        weights=weights,
        sigma=channels,
        sigma_rgb=_rgb(channels, pixels),
        why=why,
        codec=coding.codec if coding is not None and channels.max() > 0 else None,
    )


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
    luma = np.asarray(levels(jnp.asarray(np.stack(brightest)), pixels, chroma=False))
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
        rgb = np.stack([np.asarray(levels(jnp.asarray(plane), pixels, chroma=False)) for plane in planes], axis=-1)
        return noise_in_ycbcr(estimate_sigma(rgb)).astype(np.float32)
    sigma = [
        float(estimate_sigma_channels(np.asarray(levels(jnp.asarray(plane), pixels, chroma=index > 0))[..., None])[0])
        if min(plane.shape[1:]) >= 8
        else 0.0
        for index, plane in enumerate(planes)
    ]
    return np.array([*sigma, 0.0, 0.0][:3], np.float32)


def _of_rgb(sigma: float, pixels: PixelFormat) -> Float[np.ndarray, "3"]:
    """What white R'G'B' noise becomes in the planes; subsampled chroma averages it."""
    if pixels.kind == "gray":
        return np.array([sigma, 0, 0], np.float32)
    matrix = "bt601" if pixels.kind == "rgb" else pixels.matrix
    channels = noise_in_ycbcr(sigma, matrix)
    channels[1:] /= np.sqrt(np.prod(pixels.subsampling))
    return channels.astype(np.float32)


def _rgb(channels: Float[np.ndarray, "3"], pixels: PixelFormat) -> float:
    """Luma's noise as that of white R'G'B' noise, in 8-bit units."""
    if pixels.kind == "gray":
        return float(channels[0]) * 255
    matrix = "bt601" if pixels.kind == "rgb" else pixels.matrix
    return float(channels[0] / np.linalg.norm(from_rgb(matrix)[0])) * 255
