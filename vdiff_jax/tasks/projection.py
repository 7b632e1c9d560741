"""Makes a result agree with everything its observation knows exactly; the same for all tasks."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from vdiff_jax.diffusion.step import impose
from vdiff_jax.observation import Observation
from vdiff_jax.preprocess.resample import enlarge, reduce

FACTORS = (2, 4)
"""The factors of reduction that superres undoes."""
ROUNDS = 3
"""The number of back-projections; each lowers the remaining difference."""


def project(z: Float[Array, "*b h w c"], frame: Observation) -> Float[Array, "*b h w c"]:
    """The result with exactly known samples put back, then back-projected where its reduction is known exactly."""
    return back_project(impose(z, frame), frame)


def back_project(z: Float[Array, "*b h w c"], frame: Observation) -> Float[Array, "*b h w c"]:
    """z ← z + U(y - D z): changes the result z so that its reduction D z comes close to the small frame y.

    U enlarges; U y is `frame.values`.

    Source: Irani and Peleg, Improving Resolution by Image Registration, 1991.
    """
    if frame.reduction is None:
        return z
    for factor in FACTORS:
        z = _back_projected(z, frame, factor)
    return z


def _back_projected(z: Float[Array, "*b h w c"], frame: Observation, factor: int) -> Float[Array, "*b h w c"]:
    """z with the channels back-projected that were reduced by this factor."""
    reduced = frame.reduction[..., None, None, :] == factor

    def corrected() -> Array:
        result = z
        for _ in range(ROUNDS):
            result = result + jnp.where(reduced, frame.values - enlarge(reduce(result, factor), factor), 0.0)
        return result

    return lax.cond(jnp.any(reduced), corrected, lambda: z)
