"""Whether the inputs' colours can be shown in one film: it has the first input's transfer function and primaries."""

from collections.abc import Sequence

from vdiff_jax.errors import StitchError
from vdiff_jax.stitching.source import FileSource, Source

_HDR = {16: "PQ", 18: "HLG"}
"""FFmpeg's numbers of the HDR transfer functions."""
_PRIMARIES = {1: "BT.709", 4: "BT.470M", 5: "BT.601", 6: "BT.601", 7: "BT.601", 9: "BT.2020", 11: "P3", 12: "P3"}
_WIDE = frozenset({"BT.2020", "P3"})


def check_colours(sources: Sequence[Source]) -> None:
    """Raises StitchError where inputs differ in dynamic range or gamut.

    Ranges and matrices may differ: every input is converted by its own.
    """
    files = [source for source in sources if isinstance(source, FileSource)]
    for other in files[1:]:
        first = files[0]
        transfers = [_HDR.get(source.info.tags.transfer, "SDR") for source in (first, other)]
        if transfers[0] != transfers[1]:
            raise StitchError(_refusal(first, other, transfers, "dynamic range"))
        named = [_primaries(source) for source in (first, other)]
        if named[0] != named[1] and _WIDE & set(named):
            raise StitchError(_refusal(first, other, named, "gamut"))


def other_primaries(sources: Sequence[Source]) -> list[str]:
    """The inputs whose primaries differ a little from the first one's, in words: their colours are not converted."""
    first, *others = [source for source in sources if isinstance(source, FileSource)] or [None]
    return [
        f"the {_primaries(other)} primaries of {other.name}, whose colours are not converted to {_primaries(first)}"
        for other in others
        if first is not None and _primaries(other) != _primaries(first)
    ]


def _primaries(source: FileSource) -> str:
    return _PRIMARIES.get(source.info.tags.primaries, "BT.709")


def _refusal(first: FileSource, other: FileSource, values: Sequence[str], what: str) -> str:
    return (
        f"{first.name} is {values[0]} and {other.name} is {values[1]}: convert one to the other's {what} first, for "
        "example by FFmpeg's filters zscale and tonemap"
    )
