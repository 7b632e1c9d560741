"""Checks of clips that are arrays in memory."""

import jax.numpy as jnp
import numpy as np

from vdiff_jax.errors import ClipError


def check_clip(clip: np.ndarray) -> None:
    """Checks that an array is a clip: `t h w c`, uint8 or float in [0, 1].

    Raises:
        ClipError: another rank, number of channels or dtype; no samples; NaN, infinite or very large values.
    """
    if clip.ndim != 4 or clip.shape[-1] not in (1, 3) or 0 in clip.shape:
        raise ClipError(f"a clip has the shape t h w c with 1 or 3 channels; this array has the shape {clip.shape}")
    if clip.dtype == np.uint8:
        return
    if not jnp.issubdtype(clip.dtype, jnp.floating):
        raise ClipError(f"a clip is uint8, or float in [0, 1]; this array is {clip.dtype}")
    if not np.isfinite(clip).all():
        raise ClipError("the clip contains NaN or infinite values")
    largest = np.abs(clip).max()
    if largest > 8:
        raise ClipError(f"the clip's values reach {largest:.0f}: a float clip lies in [0, 1]; divide it, or pass uint8")
