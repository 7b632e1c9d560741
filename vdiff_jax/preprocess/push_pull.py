"""Push-pull filling, compiled: the network's first guess of unknown samples. `stream.push_pull` is the host's form."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vdiff_jax.preprocess.grids import average


def fill(image: Float[Array, "*b h w c"], known: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
    """Fills unknown samples with a smooth continuation of the known ones; 0.5 where nothing at all is known.

    Args:
      image: values in any unit.
      known: 1 where a sample is known, 0 where it is not, or a share; per channel.

    Source: Gortler et al., The Lumigraph, 1996, section 3.4 (push-pull).
    """
    height, width = image.shape[-3:-1]
    if max(height, width) == 1:
        return jnp.where(known > 0, image, 0.5)
    pad = [(0, 0)] * (image.ndim - 3) + [(0, height % 2), (0, width % 2), (0, 0)]
    weight = average(jnp.pad(known, pad))
    total = average(jnp.pad(image * known, pad))
    coarse = fill(total / jnp.maximum(weight, 1e-6), jnp.minimum(weight * 4, 1.0))
    smooth = jax.image.resize(coarse, (*image.shape[:-3], *_even(height, width), image.shape[-1]), "linear")
    return known * image + (1 - known) * smooth[..., :height, :width, :]


def _even(height: int, width: int) -> tuple[int, int]:
    return height + height % 2, width + width % 2
