"""Compression: a plain track of what is worth its bits, and what the network needs to spread the rest."""

from vdiff_jax.compress.decoder import decompress
from vdiff_jax.compress.encoder import compress

__all__ = ["compress", "decompress"]
