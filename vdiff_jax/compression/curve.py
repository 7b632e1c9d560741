"""The curve of size and quality: what `compress` would give from coarse to fine, estimated from samples."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vdiff_jax.compression.probes import Prober
from vdiff_jax.compression.settings import make_settings
from vdiff_jax.compression.source import coded_source, open_source
from vdiff_jax.compression.track_encoder import TrackEncoder
from vdiff_jax.media import Vmaf
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.runtime.temporary import temporary_folder

_OCTAVES = (2.0, 1.0, 0.0, -1.0, -2.0)
"""How many times each point halves the bytes of the codec's default crf."""
_ANY_VMAF = 90.0
"""Probes measure VMAF only where one is the target. Which one it is makes no difference here."""


def quality_curve(
    source: str | Path, *, codec: str = "h264", progress: Callable[[int], Any] = lambda points: None
) -> list[tuple[int, float]]:
    """Bytes of the whole track and the VMAF that `decompress` would give, from the smallest file to the largest.

    Args:
      source: a file, or a folder or glob of pictures.
      codec: "h264", "hevc" or "av1".
      progress: is called with the number of points that are done, 0 to 5.

    Raises:
      VdiffError: the source can't be read or encoded, or there is no libvmaf.
    """
    settings = make_settings(
        codec=codec, preset=None, crf=None, bitrate=None, target_vmaf=_ANY_VMAF, adapt="none", weights=None
    )
    vmaf = Vmaf()
    opened, coded = coded_source(open_source(source, 25), settings, "mp4")
    points = []
    with temporary_folder() as folder:
        encoder = TrackEncoder(opened, coded, settings, Path(folder), Stopwatch())
        prober = Prober(encoder, vmaf)
        for octaves in _OCTAVES:
            progress(len(points))
            probe = prober.probe(settings.codec.coarser(settings.codec.crf, octaves), encoder.whole)
            points.append((probe.size, probe.vmaf))
    progress(len(points))
    return sorted(points)
