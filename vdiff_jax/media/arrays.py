"""Checks clips that are arrays in memory."""

import jax.numpy as jnp
import numpy as np

from vdiff_jax.errors import ClipError


def check_clip(clip: np.ndarray) -> None:
    """Raises ClipError for an array that is no clip."""
    if clip.ndim != 4 or clip.shape[-1] not in (1, 3) or 0 in clip.shape:
        raise ClipError(f"a clip is t h w c with 1 or 3 channels, not of shape {clip.shape}")
    if clip.dtype != np.uint8 and not jnp.issubdtype(clip.dtype, jnp.floating):
        raise ClipError(f"a clip is uint8, or float in [0, 1], not {clip.dtype}")
    if clip.dtype != np.uint8 and not np.isfinite(clip).all():
        raise ClipError("the clip holds NaN or infinite values")
    if clip.dtype != np.uint8 and np.abs(clip).max() > 8:
        raise ClipError(f"the clip's values reach {np.abs(clip).max():.0f}: a float clip lies in [0, 1]; pass uint8")
