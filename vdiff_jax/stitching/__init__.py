"""Stitching: several cameras become one panorama, several clips become one sequence. README.md lists the stages."""

from vdiff_jax.stitching.stitch import Stitched, stitch

__all__ = ["Stitched", "stitch"]
