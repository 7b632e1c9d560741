"""Stitching: several cameras to one panorama, several clips to one film."""

from vdiff_jax.stitching.blend import diffuse
from vdiff_jax.stitching.calibration import Calibration, calibrate, load
from vdiff_jax.stitching.layout import lay_out
from vdiff_jax.stitching.panorama import Panorama
from vdiff_jax.stitching.sequence import Film
from vdiff_jax.stitching.stitch import Stitched, stitch

__all__ = ["Calibration", "Film", "Panorama", "Stitched", "calibrate", "diffuse", "lay_out", "load", "stitch"]
