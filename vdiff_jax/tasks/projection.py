"""What a result is projected onto, whatever the task: the observation itself says it."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vdiff_jax.diffusion.step import impose
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.resample import enlarge, reduce

FACTORS = (2, 4)
"""The reductions that are undone."""


def project(z: Float[Array, "*b h w c"], frame: Observation) -> Float[Array, "*b h w c"]:
    """Samples known exactly become themselves; reductions known exactly are met by back-projection."""
    return back_project(impose(z, frame), frame)


def back_project(z: Float[Array, "*b h w c"], frame: Observation) -> Float[Array, "*b h w c"]:
    """z ← z + U(y - D z), U y being `frame.values`: the result's reduction comes close to what was measured.

    Source: Irani and Peleg, Improving Resolution by Image Registration, 1991.
    """
    if frame.reduction is None:
        return z
    for factor in FACTORS:
        z = z + _missed(z, frame, factor)
    return z


def _missed(z: Float[Array, "*b h w c"], frame: Observation, factor: int) -> Float[Array, "*b h w c"]:
    """U(y - D z) for the channels that were reduced by a factor, 0 for the others."""
    reduced = frame.reduction[..., None, None, :] == factor

    def difference() -> Array:
        return jnp.where(reduced, frame.values - enlarge(reduce(z, factor), factor), 0.0)

    return lax.cond(jnp.any(reduced), difference, lambda: jnp.zeros_like(z))
