"""Deblock: removes coding artefacts. Every sample is known, with the error that is expected of its codec."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vdiff_jax.corruption.coding import coded, rgb_to_stored
from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.observation import Observation
from vdiff_jax.stream.compression_error import expected_error
from vdiff_jax.stream.sigma import measure_coding, sigma_of_rgb
from vdiff_jax.tasks.finish import wiener
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request
from vdiff_jax.tasks.same_size import CLEAN, observe, plan_of
from vdiff_jax.tasks.task import Task

MEASURED, ESTIMATED = 0.35, 0.25
"""The share of training clips whose sigma has the true mean error, and of those with one estimate for all frames.

The others have the error that each frame's quantiser predicts."""
REDUCED, SIZES = 0.2, (4 / 5, 2 / 3, 1 / 2)
"""The share of training clips that are coded in a smaller size, as `compress` may do, and those sizes."""

MARGIN = 32
"""Pixels around an example that are coded with it, so that objects do not leave the coded picture within a frame."""
FINISH = (wiener,)


def plan(request: Request) -> Plan:
    """Plans to remove the coding error: the given sigma, else what quantisers predict, else what frames show."""
    if request.sigma is not None:
        sigma = sigma_of_rgb(request.sigma / 255, request.pixels)
        return plan_of(request, "deblock", sigma, f"sigma {request.sigma:g} was given", finish=FINISH)
    coding = measure_coding(request.frames, request.pixels, request.codec)
    return plan_of(request, "deblock", coding.sigma, coding.why, codec=coding.codec, finish=FINISH, least=CLEAN)


def corrupt(rng: np.random.Generator, clip: Float[np.ndarray, "t h w 3"]) -> Observation:
    """Codes a clip by a video codec at a random quality; the observation's sigma is each frame's expected error.

    Sigma is drawn from three kinds:
    - the error that each frame's quantiser predicts;
    - the same, scaled so that its mean is the true error, as compressed files store it. A clip coded in a smaller size
      always gets this kind;
    - one figure for all frames, about as wrong as an estimate from the frames.
    """
    reduced = rng.random() < REDUCED
    video = coded(rng, clip, scale=rng.choice(SIZES) if reduced else 1.0)
    true = np.sqrt(np.mean((video.clip - rgb_to_stored(clip)) ** 2, axis=(1, 2))).mean(axis=0) + 1e-4
    error = np.broadcast_to(true, (len(clip), 3))
    if scale_of(video.codec) is not None:
        error = expected_error(video.codec, video.quantisers)
    way = rng.random()
    if reduced or way < MEASURED:
        error = error * true / error.mean(axis=0)
    elif way < MEASURED + ESTIMATED:
        error = np.broadcast_to(error.mean(axis=0) * np.exp(rng.normal(0, 0.3)), error.shape)
    return observe(jnp.asarray(video.clip), jnp.asarray(error, jnp.float32))


TASK = Task(name="deblock", plan=plan, corrupt_on_host=corrupt, share_on_host=1.0, margin=MARGIN)
