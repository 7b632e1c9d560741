"""Writes the network's part of one frame's step for other runtimes, as ONNX or StableHLO."""

from vdiff_jax.exporting.export import export

__all__ = ["export"]
