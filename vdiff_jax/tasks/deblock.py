"""Deblock: everything is known, with the error that a video codec left."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vdiff_jax.corruption.coding import coded
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.coding import expected_error
from vdiff_jax.tasks import denoise
from vdiff_jax.tasks.task import Task

ESTIMATED = 0.3
"""The share of clips whose quantisers are not told."""


def corrupt(rng: np.random.Generator, clip: Float[np.ndarray, "t h w 3"]) -> Observation:
    """A video codec at any quality; each frame's error is told as its quantiser lets expect it.

    For the clips whose quantisers are not told it is one figure, as far off as an estimate from the frames is.
    """
    video = coded(rng, clip)
    error = expected_error(video.codec, video.quantisers)
    if rng.random() < ESTIMATED:
        error = np.broadcast_to(error.mean(axis=0) * np.exp(rng.normal(0, 0.3)), error.shape)
    return denoise.observe(jnp.asarray(video.clip), jnp.asarray(error, jnp.float32))


TASK = Task(name="deblock", corrupt_on_host=corrupt, share_on_host=1.0)
