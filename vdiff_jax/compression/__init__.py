"""Compression: an ordinary video track, and a small attachment that lets `decompress` improve on it."""

from vdiff_jax.compression.decoder import decompress
from vdiff_jax.compression.encoder import compress

__all__ = ["compress", "decompress"]
