"""Compares a video with its reference: metrics, and a page with the worst frames."""

from vdiff_jax.comparison.measure import compare

__all__ = ["compare"]
