"""Whether the inputs' colours can be shown in one film: it has the first input's transfer function and primaries."""

import logging
from collections.abc import Sequence

from vdiff_jax.errors import StitchError
from vdiff_jax.stitching.source import FileSource, Source

log = logging.getLogger(__name__)
_HDR = {16: "PQ", 18: "HLG"}
"""FFmpeg's numbers of the HDR transfer functions."""
_PRIMARIES = {1: "BT.709", 4: "BT.470M", 5: "BT.601", 6: "BT.601", 7: "BT.601", 9: "BT.2020", 11: "P3", 12: "P3"}
_WIDE = frozenset({"BT.2020", "P3"})


def check_colours(sources: Sequence[Source]) -> None:
    """Raises StitchError where inputs differ in dynamic range or gamut; logs a warning where primaries differ little.

    Ranges and matrices may differ: every input is converted by its own.
    """
    files = [source for source in sources if isinstance(source, FileSource)]
    for other in files[1:]:
        first = files[0]
        transfers = [_HDR.get(source.info.tags.transfer, "SDR") for source in (first, other)]
        if transfers[0] != transfers[1]:
            raise StitchError(_refusal(first, other, transfers, "dynamic range"))
        named = [_PRIMARIES.get(source.info.tags.primaries, "BT.709") for source in (first, other)]
        if named[0] == named[1]:
            continue
        if _WIDE & set(named):
            raise StitchError(_refusal(first, other, named, "gamut"))
        log.warning(
            "%s has %s primaries, %s has %s: its colours are not converted",
            *(other.name, named[1], first.name, named[0]),
        )


def _refusal(first: FileSource, other: FileSource, values: Sequence[str], what: str) -> str:
    return (
        f"{first.name} is {values[0]} and {other.name} is {values[1]}: convert one to the other's {what} first, for "
        "example by FFmpeg's filters zscale and tonemap"
    )
