"""Chooses between panorama and sequence, and says why."""

import functools
from collections.abc import Sequence

from vdiff_jax.errors import OptionError, StitchError
from vdiff_jax.stitching.bridge import flow_bridge
from vdiff_jax.stitching.panorama import Panorama, PanoramaOptions
from vdiff_jax.stitching.sequence import ClipSequence, Interpolate
from vdiff_jax.stitching.source import Source

LAYOUTS = ("auto", "panorama", "sequence")


def choose_layout(
    sources: Sequence[Source],
    layout: str,
    options: PanoramaOptions,
    *,
    bridge: int = 0,
    interpolate: Interpolate = flow_bridge,
) -> tuple[Panorama | ClipSequence, str]:
    """Prepares a panorama or a sequence, and returns it with the reason for the choice.

    "auto" makes a panorama if the views overlap, differ, and fit together at the same moments. Otherwise it makes a
    sequence, and the reason is the panorama's error.

    Args:
      sources: the inputs.
      layout: "auto", "panorama" or "sequence".
      options: for a panorama; a sequence uses only `debug`.
      bridge: how many frames a sequence inserts between clips that do not overlap.
      interpolate: makes these frames.

    Raises:
      OptionError: an unknown layout.
      StitchError: the inputs do not fit the layout.
    """
    if layout not in LAYOUTS:
        raise OptionError(f"unknown layout {layout}: pass auto, panorama or sequence")
    sequence = functools.partial(ClipSequence, sources, bridge=bridge, interpolate=interpolate, debug=options.debug)
    if layout == "panorama":
        return Panorama(sources, options), "asked for"
    if layout == "sequence":
        return sequence(), "asked for"
    if len(sources) < 2:
        raise StitchError(f"{len(sources)} input{'s' * (len(sources) != 1)}: pass two or more to stitch")
    try:
        panorama = Panorama(sources, options)
    except StitchError as error:
        return sequence(), f"no panorama: {error}"
    shares = ", ".join(
        f"{pair['inputs'][0]} and {pair['inputs'][1]} {pair['overlap']:.0%}" for pair in panorama.report["pairs"]
    )
    return panorama, f"the views overlap ({shares}) and fit to {panorama.calibration.rms:.2f} pixels"
