"""Panorama or film: what the inputs themselves say, and why."""

import functools
from collections.abc import Sequence

from vdiff_jax.errors import OptionError, StitchError
from vdiff_jax.stitching import joins
from vdiff_jax.stitching.panorama import Options, Panorama
from vdiff_jax.stitching.sequence import Film, Interpolate
from vdiff_jax.stitching.source import Source

LAYOUTS = ("auto", "panorama", "sequence")


def lay_out(
    sources: Sequence[Source],
    layout: str,
    options: Options,
    *,
    bridge: int = 0,
    interpolate: Interpolate = joins.bridge,
) -> tuple[Panorama | Film, str]:
    """Prepares the panorama or the film, and says why it is one.

    `auto` takes the panorama if the cameras' views overlap, differ, and fit together at the same moments; a film if
    not, with the reason that the panorama gave.

    Raises:
      OptionError: an unknown layout.
      StitchError: the inputs don't make what was asked for.
    """
    if layout not in LAYOUTS:
        raise OptionError(f"layout {layout}: pass auto, panorama or sequence")
    film = functools.partial(Film, sources, bridge=bridge, interpolate=interpolate, debug=options.debug)
    if layout == "panorama":
        return Panorama(sources, options), "asked for"
    if layout == "sequence":
        return film(), "asked for"
    if len(sources) < 2:
        raise StitchError(f"{len(sources)} input{'s' * (len(sources) != 1)}: stitch takes two or more")
    try:
        panorama = Panorama(sources, options)
    except StitchError as error:
        return film(), f"no panorama: {error}"
    shares = ", ".join(
        f"{pair['inputs'][0]} and {pair['inputs'][1]} {pair['overlap']:.0%}" for pair in panorama.report["pairs"]
    )
    return panorama, f"the views overlap ({shares}) and fit to {panorama.calibration.rms:.2f} pixels"
