"""Interpolate: the frames that exist are known, nothing of the ones between."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks import denoise
from vdiff_jax.tasks.task import Task


def observe(clip: Float[Array, "t h w 3"], exists: Bool[np.ndarray, " t"]) -> Observation:
    """A Y'CbCr clip of which only the frames that exist are known."""
    known = jnp.broadcast_to(jnp.asarray(exists, jnp.float32).reshape(-1, 1, 1, 1), (*clip.shape[:-1], 1))
    return denoise.observe(clip, jnp.zeros(3), known=known)


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """Every second frame is left out."""
    return observe(rgb_to_ycbcr(clip), np.arange(clip.shape[0]) % 2 == 0)


TASK = Task(name="interpolate", corrupt=corrupt)
