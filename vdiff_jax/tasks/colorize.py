"""Colorize: luma is known everywhere, chroma in the frames that someone coloured."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.tasks import denoise
from vdiff_jax.tasks.task import Task


def observe(clip: Float[Array, "t h w 3"], coloured: Bool[np.ndarray, " t"]) -> Observation:
    """A Y'CbCr clip whose chroma is known in the coloured frames only."""
    observation = denoise.observe(clip, jnp.zeros(3))
    chroma = jnp.asarray(coloured, jnp.float32).reshape(-1, 1, 1, 1)
    known = jnp.concatenate([observation.known[..., :1], observation.known[..., 1:] * chroma], axis=-1)
    return dataclasses.replace(observation, known=known, values=clip * known)


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """Only the first frame keeps its colours."""
    return observe(rgb_to_ycbcr(clip), np.arange(clip.shape[0]) == 0)


TASK = Task(name="colorize", corrupt=corrupt)
