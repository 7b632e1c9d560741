"""Chooses the algorithm that repairs a video best on this machine, by trying several on a part of it."""

from vdiff_jax.choosing.choice import choose

__all__ = ["choose"]
