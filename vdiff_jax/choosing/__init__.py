"""Which algorithm fits a video and a machine: what the video needs, tried out on a part of it."""

from vdiff_jax.choosing.choice import choose

__all__ = ["choose"]
