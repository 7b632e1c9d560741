"""Block artefacts of transform coding."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vdiff_jax.preprocess.dct import dct_matrix

_SIDE = 8
_DCT = dct_matrix(_SIDE)
_FREQUENCY = np.arange(_SIDE)


def quantised_blocks(clip: Float[Array, "*b h w c"], step: Float[Array, ""] | float) -> Float[Array, "*b h w c"]:
    """Each 8×8 block's DCT coefficients rounded to multiples of a step that grows with frequency.

    Args:
      clip: height and width are multiples of 8.
      step: the quantisation step of a block's mean, in the clip's unit.
    """
    *batch, height, width, channels = clip.shape
    blocks = clip.reshape(-1, height // _SIDE, _SIDE, width // _SIDE, _SIDE, channels)
    coefficients = jnp.einsum("ky,nyiulc,xl->nkiuxc", _DCT, blocks.transpose(0, 2, 1, 3, 4, 5), _DCT)
    steps = step * (1 + (_FREQUENCY[:, None] + _FREQUENCY[None]) / 4).reshape(1, _SIDE, 1, 1, _SIDE, 1)
    coefficients = jnp.round(coefficients / steps) * steps
    restored = jnp.einsum("ky,nkiuxc,xl->nyiulc", _DCT, coefficients, _DCT).transpose(0, 2, 1, 3, 4, 5)
    return restored.reshape(*batch, height, width, channels)
