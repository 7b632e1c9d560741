"""What a result is projected onto, whatever the task: the observation itself says it."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vdiff_jax.diffusion.step import impose
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.resample import enlarge, reduce

FACTORS = (2, 4)
"""The reductions that are undone."""
ROUNDS = 3
"""Back-projections, each of which leaves a part of what the one before missed."""


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
        z = _met(z, frame, factor)
    return z


def _met(z: Float[Array, "*b h w c"], frame: Observation, factor: int) -> Float[Array, "*b h w c"]:
    """z, the channels that were reduced by a factor brought near to what was measured."""
    reduced = frame.reduction[..., None, None, :] == factor

    def nearer() -> Array:
        result = z
        for _ in range(ROUNDS):
            result = result + jnp.where(reduced, frame.values - enlarge(reduce(result, factor), factor), 0.0)
        return result

    return lax.cond(jnp.any(reduced), nearer, lambda: z)
