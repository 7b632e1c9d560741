"""Decides what a video needs: which tasks, with which sigma, and why."""

import dataclasses
import logging
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import MaskError, OptionError
from vdiff_jax.media.pixels import Frame, PixelFormat
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.memory import check_memory
from vdiff_jax.preprocess.coding import estimated_error, expected_error
from vdiff_jax.preprocess.colour import from_rgb, noise_in_ycbcr
from vdiff_jax.preprocess.noise import estimate_sigma, estimate_sigma_channels
from vdiff_jax.preprocess.planes import levels
from vdiff_jax.preprocess.references import Pictures, has_colours
from vdiff_jax.tasks.colorize import Colouring
from vdiff_jax.tasks.denoise import STRONGEST
from vdiff_jax.tasks.projection import FACTORS
from vdiff_jax.tasks.superres import Enlargement
from vdiff_jax.tasks.video import Job, SameSize
from vdiff_jax.weights import for_task

log = logging.getLogger(__name__)

TASKS = ("auto", "denoise", "deblock", "inpaint", "interpolate", "superres", "colorize")
CLEAN = 1.5 / 255
"""Noise below this is left alone unless sigma is given: it can't be told from fine texture."""
NOISY = 3.0 / 255
"""Noise from which a small video is no clean reduction: small pictures are all fine texture."""
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
      weights: the name of the weights; "" where the network has no part.
      sigma: the expected error of Y', Cb and Cr, in levels; its mean where it differs from frame to frame.
      sigma_rgb: the same as one figure, that of white R'G'B' noise, in 8-bit units.
      why: a sentence for people.
      job: how the tasks take the video.
      references: pictures, R'G'B' and opacity, that give some frames their colours, by the frame's number; `None` where
        nothing is to be coloured.
      force: the references are taken as they are.
      codec: whose quantisers tell each frame's error; None where `sigma` is that of all.
    """

    tasks: tuple[str, ...]
    weights: str
    sigma: Float[np.ndarray, "3"]
    sigma_rgb: float
    why: str
    job: Job | Colouring
    references: Pictures | None = None
    force: bool = False
    codec: str | None = None

    def sigma_of(self, quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
        """Each frame's expected error; its quantiser is NaN where the stream doesn't tell."""
        everywhere = np.broadcast_to(self.sigma, (len(quantisers), 3)).astype(np.float32)
        if self.codec is None:
            return everywhere
        told = np.isfinite(quantisers)[:, None] & (self.sigma > 0)  # a grey video has no chroma
        return np.where(told, expected_error(self.codec, np.nan_to_num(quantisers)), everywhere)

    def sigma_of_planes(self, pixels: PixelFormat) -> Float[np.ndarray, "3"]:
        """The expected error of each plane, in levels: R', G' and B' each have as much as makes luma's."""
        return np.full(3, self.sigma_rgb / 255, np.float32) if pixels.kind == "rgb" else self.sigma

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
    scale: Fraction | float | int | None = None,
    size: tuple[int, int] | None = None,
    references: Pictures | None = None,
    force: bool = False,
    codec: str = "",
    deblocks: bool = False,
) -> Plan:
    """The plan for a video.

    Args:
      task: "auto" or a task.
      frames: some of its first frames, that noise is measured on.
      pixels: what their planes mean.
      masked: a mask is given.
      sigma: the noise in 8-bit units as far as the caller knows it.
      weights: the name of the weights; the plan takes the set that was tuned for its one task, where there is one.
      scale: how many times larger superres is to make it.
      size: the height and width superres is to give it, instead.
      references: pictures of coloured frames, by the frame's number, for colorize.
      force: takes references and a coloured video as they are.
      codec: FFmpeg's name of what the frames were coded with; "" for pictures and arrays.
      deblocks: the weights were trained for it, so that "auto" may.

    Raises:
      OptionError: an unknown task, a sigma outside 0 to 255, a scale or size that isn't offered, colorize without
        references or of a coloured video.
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
    if task == "superres":
        return _plan_superres(frames, pixels, masked=masked, sigma=sigma, weights=weights, scale=scale, size=size)
    if scale is not None or size is not None:
        raise OptionError("a scale and a size are superres's: pass --task superres with them")
    if task == "colorize":
        return _plan_colorize(frames, pixels, references=references, force=force)
    if references:
        raise OptionError("references are colorize's: pass --task colorize with them")
    if task == "interpolate":
        return _plan_interpolate(frames, pixels, weights=weights)
    return _plan_same_size(
        task, frames, pixels, masked=masked, sigma=sigma, weights=weights, codec=codec, deblocks=deblocks
    )


def _plan_same_size(
    task: str,
    frames: list[Frame],
    pixels: PixelFormat,
    *,
    masked: bool,
    sigma: float | int | None,
    weights: str,
    codec: str,
    deblocks: bool,
) -> Plan:
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
        why = f"sigma {sigma_in_rgb(channels, pixels):.1f} was measured"
        if task == "auto" and deblocks and codec not in LOSSLESS:
            coding = measure_coding(frames, pixels, codec)
            if coding.sigma[0] < max(VISIBLE, channels[0]):
                coding = None
    if coding is not None:
        channels, why, cleaning = coding.sigma, coding.why, "deblock"
    if sigma_in_rgb(channels, pixels) > STRONGEST * 255:
        log.warning(
            "sigma %.0f is more than the weights know: taken as %.0f", sigma_in_rgb(channels, pixels), STRONGEST * 255
        )
        channels = channels * (STRONGEST * 255 / sigma_in_rgb(channels, pixels))
    if sigma is None and task in ("auto", "deblock") and sigma_in_rgb(channels, pixels) < CLEAN * 255:
        why, channels = f"{why}: clean enough to be left as it is", np.zeros(3, np.float32)
    why = "; ".join(part for part in (reason, why) if part)
    tasks = holes + ((cleaning,) if channels.max() > 0 else ())
    return Plan(
        tasks=tasks,
        weights=for_task(weights, cleaning) if tasks == (cleaning,) else weights,
        sigma=channels,
        sigma_rgb=sigma_in_rgb(channels, pixels),
        why=why,
        job=SameSize(pixels, frames[0].planes[0].shape),
        codec=coding.codec if coding is not None and channels.max() > 0 else None,
    )


def _plan_interpolate(frames: list[Frame], pixels: PixelFormat, *, weights: str) -> Plan:
    why = "frames at other times were asked for; those that exist stay as they are"
    job = SameSize(pixels, frames[0].planes[0].shape)
    tuned = for_task(weights, "interpolate")
    return Plan(tasks=("interpolate",), weights=tuned, sigma=np.zeros(3, np.float32), sigma_rgb=0.0, why=why, job=job)


def _plan_superres(
    frames: list[Frame],
    pixels: PixelFormat,
    *,
    masked: bool,
    sigma: float | int | None,
    weights: str,
    scale: Fraction | float | int | None,
    size: tuple[int, int] | None,
) -> Plan:
    if masked:
        raise OptionError("superres fills no holes: repair them first with --task inpaint")
    if (scale is None) == (size is None):
        raise OptionError("superres needs either a scale, such as 2, or a size, such as 1920x1080")
    small = frames[0].planes[0].shape
    factor, target = _enlargement(small, size or _scaled(small, scale, pixels))
    if sigma is not None:
        channels, why = _of_rgb(sigma / 255, pixels), f"sigma {sigma:g} was given"
    else:
        channels = measure_sigma(frames, pixels)
        why = f"sigma {sigma_in_rgb(channels, pixels):.1f} was measured"
        if sigma_in_rgb(channels, pixels) < NOISY * 255:
            why, channels = f"{why}: taken for a clean reduction", np.zeros(3, np.float32)
    why = f"{small[1]}x{small[0]} to {target[1]}x{target[0]} through {factor} times the size; {why}"
    job = Enlargement(pixels, small, factor, target)
    check_memory(job.network_size, job.target)
    if target[0] > small[0] * factor:
        log.warning("%dx%d is more than %d times larger: the rest is interpolated", *target[::-1], factor)
    return Plan(
        tasks=("superres",),
        weights=for_task(weights, "superres"),
        sigma=channels,
        sigma_rgb=sigma_in_rgb(channels, pixels),
        why=why,
        job=job,
    )


def _plan_colorize(frames: list[Frame], pixels: PixelFormat, *, references: Pictures | None, force: bool) -> Plan:
    if not references:
        raise OptionError("colorize needs a coloured frame: pass --reference PICTURE, or N:PICTURE for frame N")
    if not force and has_colours(frames, pixels):
        raise OptionError("the video has colours already: pass --force to have them replaced")
    return Plan(
        tasks=("colorize",),
        weights="",
        sigma=np.zeros(3, np.float32),
        sigma_rgb=0.0,
        why=f"references were given for {len(references)} of the frames, carried and spread without the network",
        job=Colouring(pixels, frames[0].planes[0].shape),
        references=references,
        force=force,
    )


def _scaled(small: tuple[int, int], scale: Fraction | float | int, pixels: PixelFormat) -> tuple[int, int]:
    """Height and width, so many times larger: whole, and as subsampled chroma would have them."""
    if not 1 < scale < np.inf:
        raise OptionError(f"scale {float(scale):g} isn't offered: it is how many times larger, above 1")
    if scale == int(scale):
        return small[0] * int(scale), small[1] * int(scale)
    across, down = pixels.subsampling
    return down * round(small[0] * scale / down), across * round(small[1] * scale / across)


def _enlargement(small: tuple[int, int], size: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """By how much the network enlarges, and the height and width that come out."""
    times = max(new / old for new, old in zip(size, small))
    if min(new / old for new, old in zip(size, small)) < 1 or times == 1:
        raise OptionError(
            f"the size {size[1]}x{size[0]} is no enlargement of {small[1]}x{small[0]}: superres only makes larger"
        )
    return next((factor for factor in FACTORS if factor >= times), FACTORS[-1]), size


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


def _of_rgb(sigma: float, pixels: PixelFormat) -> Float[np.ndarray, "3"]:
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
