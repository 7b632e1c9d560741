"""Compression: a plain track of what is worth its bits, and what the network needs to spread the rest."""

from vdiff_jax.compression.decoder import decompress
from vdiff_jax.compression.encoder import compress

__all__ = ["compress", "decompress"]
