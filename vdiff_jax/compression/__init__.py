"""Compression: an ordinary video track, and a small attachment by which `decompress` improves it."""

from vdiff_jax.compression.decoder import decompress
from vdiff_jax.compression.encoder import compress

__all__ = ["compress", "decompress"]
