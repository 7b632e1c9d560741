"""Chroma subsampling to 4:2:0, as in a stored video."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.grids import average, repeat


def subsampled(clip: Float[Array, "*b h w 3"]) -> Float[Array, "*b h w 3"]:
    """A Y'CbCr clip with 4:2:0 chroma: the mean of 2×2 pixels, repeated over them."""
    return jnp.concatenate([clip[..., :1], repeat(average(clip[..., 1:]))], axis=-1)


def subsampled_observation(observation: Observation) -> Observation:
    """An observation with 4:2:0 chroma, known where all four pixels are; their mean halves the sigma of white noise."""
    whole = (subsampled(observation.known) == 1).astype(jnp.float32)
    return dataclasses.replace(
        observation,
        values=subsampled(observation.values) * whole,
        known=whole,
        sigma=subsampled(observation.sigma) * jnp.array([1.0, 0.5, 0.5]).reshape(1, 1, 1, 3),
    )
