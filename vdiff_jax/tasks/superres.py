"""Super-resolve: the small video is what was measured; its enlargement is known with an error."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.colour import rgb_to_ycbcr
from vdiff_jax.preprocess.resample import enlarge, reduce
from vdiff_jax.tasks import denoise
from vdiff_jax.tasks.task import Task

ERROR = 0.03
"""The usual error of an enlargement by 2, in levels."""


def observe(small: Float[Array, "t hs ws 3"], factor: int) -> Observation:
    """A Y'CbCr clip to be enlarged by `factor`."""
    observation = denoise.observe(enlarge(small, factor), jnp.full(3, ERROR))
    return dataclasses.replace(observation, reduced=small)


def corrupt(key: PRNGKeyArray, clip: Float[Array, "t h w 3"]) -> Observation:
    """The clip's antialiased bicubic reduction by 2."""
    return observe(reduce(rgb_to_ycbcr(clip), 2), 2)


def back_project(z: Float[Array, "*b h w c"], frame: Observation) -> Float[Array, "*b h w c"]:
    """z ← z + U(y - D z): the result's reduction comes close to the small frame. Source: Irani and Peleg, 1991."""
    factor = z.shape[-2] // frame.reduced.shape[-2]
    return z + enlarge(frame.reduced - reduce(z, factor), factor)


TASK = Task(name="superres", corrupt=corrupt, project=back_project)
