"""Shared by the tasks that keep the frames' size: denoise, deblock, inpaint, interpolate."""

import dataclasses
import logging

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdiff_jax.observation import Observation
from vdiff_jax.pixels import PixelFormat
from vdiff_jax.postprocess.planes import changed_planes
from vdiff_jax.preprocess.planes import Planes, clip_of_planes, known_of_mask, sigma_of_error
from vdiff_jax.stream.sigma import measure_sigma, sigma_in_rgb, split_sigma
from vdiff_jax.tasks.finish import wiener
from vdiff_jax.tasks.plan import NO_ERROR, Plan, Step
from vdiff_jax.tasks.request import Request
from vdiff_jax.tasks.video import ChunkInputs, everywhere, like
from vdiff_jax.weights import for_task

log = logging.getLogger(__name__)

STRONGEST = 55 / 255
"""The strongest noise that the network is trained for."""
LIKE_NOISE = {"denoise": 1, "deblock": 2}
"""By task: removing an error of sigma leaves about as much as removing noise of sigma times this does, or less
(scripts/measure_encoders.py)."""
CLEAN = 1.5 / 255
"""An error measured below this is not removed: it cannot be distinguished from fine texture."""


def observe(
    clip: Float[Array, "t h w 3"],
    sigma: Float[Array, "*s 3"],
    *,
    known: Float[Array, "... _"] | None = None,
    time: Float[Array, " t"] | None = None,
) -> Observation:
    """The observation of a clip whose samples have an expected error. Training and restoration both use it.

    Args:
      clip: Y'CbCr in [0, 1].
      sigma: the expected error: of the whole clip (`3`), of each frame (`t 3`) or of each sample (`t h w 3`).
      known: 1 where a sample was measured, 0 where it is unknown; everything by default.
      time: of the frames, in frame intervals; 0, 1, 2, ... by default.
    """
    known = jnp.broadcast_to(jnp.ones(()) if known is None else known, clip.shape)
    sigma = sigma if sigma.ndim == 4 else sigma.reshape(-1, 1, 1, 3)
    return Observation(
        values=clip * known,
        known=known,
        sigma=jnp.broadcast_to(sigma, clip.shape),
        time=jnp.arange(clip.shape[0], dtype=jnp.float32) if time is None else time,
    )


@dataclasses.dataclass(frozen=True)
class SameSize:
    """A video whose samples are known with an expected error, or hidden by a mask.

    Only the network's change is added to the planes, so a sample that it did not change keeps its exact value.
    """

    pixels: PixelFormat
    size: tuple[int, int]
    scale: int = 1

    def written(self) -> tuple[PixelFormat, tuple[int, int]]:
        return self.pixels, self.size

    def observe(self, inputs: ChunkInputs, multiple: int) -> Observation:
        clip = clip_of_planes(inputs.planes, self.pixels, multiple)
        known = everywhere(inputs, clip)
        sigma = like(inputs.sigma, clip)
        if inputs.error is not None:
            known = known * known_of_mask(jnp.isinf(inputs.error), self.pixels, multiple)
            sigma = jnp.sqrt(sigma**2 + sigma_of_error(inputs.error, self.pixels, multiple) ** 2)
        return observe(clip, sigma, known=known, time=inputs.time)

    def planes(self, inputs: ChunkInputs, result: Float[Array, "n hp wp 3"]) -> Planes:
        planes = tuple(plane[:-1] for plane in inputs.planes)
        height, width = self.size
        clip = clip_of_planes(planes, self.pixels, 1)
        return changed_planes(planes, result[:, :height, :width] - clip, self.pixels)


def plan_of(
    request: Request,
    cleaning: str,
    sigma: Float[np.ndarray, "3"],
    why: str,
    *,
    codec: str | None = None,
    finish: tuple[Step, ...] = (),
    least: float = 0.0,
) -> Plan:
    """The plan that fills the holes of a mask, if there is one, and denoises or deblocks the rest if sigma is above 0.

    Args:
      request: what the user asked for, and the video's first frames.
      cleaning: "denoise" or "deblock".
      sigma: the expected error of Y', Cb and Cr, in [0, 1]; 0 to leave everything outside masks unchanged.
      why: the reason for this sigma.
      codec: the codec whose quantisers predict each frame's error; `None` where sigma holds for all frames.
      finish: the steps that follow the network, for videos without a mask.
      least: a sigma below this, in [0, 1] of R'G'B', counts as 0.
    """
    pixels, holes = request.pixels, ("inpaint",) if request.masked else ()
    strength = sigma_in_rgb(sigma, pixels) if request.sigma is None else float(request.sigma)
    if strength > STRONGEST * 255:
        log.warning("sigma %.0f is above the weights' range: %.0f is used", strength, STRONGEST * 255)
        sigma, strength = sigma * (STRONGEST * 255 / strength), STRONGEST * 255
    if strength < least * 255:
        why, sigma, strength = f"{why}: clean enough to be left as it is", NO_ERROR, 0.0
    clean = sigma.max() == 0
    tasks = holes + (() if clean else (cleaning,))
    if request.masked:
        why = "; ".join(part for part in ("the mask's holes are filled", why) if part)
        # The Wiener step's coefficients are fitted to frames without holes.
        finish = tuple(step for step in finish if step is not wiener)
    return Plan(
        tasks=tasks,
        weights=for_task(request.weights, tasks[0]) if len(tasks) == 1 else request.weights,
        why=why,
        conversion=SameSize(pixels, request.shape),
        sigma=sigma,
        sigma_rgb=strength,
        noise=None if clean else LIKE_NOISE[cleaning] * strength,
        codec=None if clean else codec,
        finish=() if clean else finish,
        grow=request.grow,
        holes_only=tasks == ("inpaint",),
    )


def given_or_measured_sigma(request: Request) -> tuple[Float[np.ndarray, "3"], str]:
    """The noise of Y', Cb and Cr, in [0, 1], and whether it was given or measured, in words."""
    if request.sigma is not None:
        return split_sigma(request.sigma / 255, request.frames, request.pixels), f"sigma {request.sigma:g} was given"
    sigma = measure_sigma(request.frames, request.pixels)
    return sigma, f"sigma {sigma_in_rgb(sigma, request.pixels):.1f} was measured"
