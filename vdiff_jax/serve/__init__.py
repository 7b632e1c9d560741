"""The page of `vdiff serve`: repair, stitch, compress and compare in a browser."""

from vdiff_jax.serve.server import serve

__all__ = ["serve"]
