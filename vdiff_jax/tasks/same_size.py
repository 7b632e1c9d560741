"""Tasks whose result has the size of the input: denoise, deblock, inpaint, interpolate."""

import dataclasses
import logging

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdiff_jax.observation import Observation
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.planes import changed_planes
from vdiff_jax.preprocess.planes import Planes, clip_of_planes, known_of_mask, sigma_of_error
from vdiff_jax.stream.sigma import measure_coding, measure_sigma, sigma_in_rgb, sigma_of_rgb
from vdiff_jax.tasks.denoise import STRONGEST
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.video import Given, everywhere, like
from vdiff_jax.weights import for_task

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SameSize:
    """Every sample is known with the same error, or in a hole: what changes is added to the planes."""

    pixels: PixelFormat
    size: tuple[int, int]
    scale: int = 1

    def written(self) -> tuple[PixelFormat, tuple[int, int]]:
        return self.pixels, self.size

    def observe(self, given: Given, multiple: int) -> Observation:
        clip = clip_of_planes(given.planes, self.pixels, multiple)
        known = everywhere(given, clip)
        sigma = like(given.sigma, clip)
        if given.error is not None:
            known = known * known_of_mask(jnp.isinf(given.error), self.pixels, multiple)
            sigma = jnp.sqrt(sigma**2 + sigma_of_error(given.error, self.pixels, multiple) ** 2)
        return Observation(values=clip * known, known=known, sigma=sigma, time=given.time)

    def planes(self, given: Given, result: Float[Array, "n hp wp 3"]) -> Planes:
        planes = tuple(plane[:-1] for plane in given.planes)
        height, width = self.size
        clip = clip_of_planes(planes, self.pixels, 1)
        return changed_planes(planes, result[:, :height, :width] - clip, self.pixels)


CLEAN = 1.5 / 255
"""Noise below this is left alone unless sigma is given: it can't be told from fine texture."""


VISIBLE = 3 / 255
"""Luma's error from which a video counts as visibly compressed."""


LOSSLESS = frozenset({"", "ffv1", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "png", "gif", "qtrle", "magicyuv"})
"""Codecs that leave no error; "" is pictures and arrays."""


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
        channels, why = sigma_of_rgb(sigma / 255, pixels), f"sigma {sigma:g} was given"
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
