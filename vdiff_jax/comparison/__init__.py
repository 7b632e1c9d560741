"""How near a video is to its reference: figures, and a page with pictures."""

from vdiff_jax.comparison.figures import compare

__all__ = ["compare"]
