"""Names what a film does not keep of its inputs, and why."""

import os
from collections.abc import Iterator, Sequence

from vdiff_jax.media import further_tracks
from vdiff_jax.media.fidelity import UNSUPPORTED_SIDE_DATA
from vdiff_jax.stitching.colour_tags import other_primaries
from vdiff_jax.stitching.source import FileSource, Source


def lost_in_stitching(sources: Sequence[Source], copied: int | None = None) -> list[str]:
    """What the film does not keep of its inputs, in words.

    Args:
      sources: the inputs.
      copied: the number of the input whose tracks a panorama copies; None for a sequence, which copies the first sound
        of each input.
    """
    files = [source for source in sources if isinstance(source, FileSource)]
    infos, lost = [source.info for source in files], []
    if any(info.interlaced for info in infos):
        lost.append("the field order of interlaced video: run repair --deinterlace on the inputs first")
    if any(info.pixels.alpha for info in infos):
        lost.append("the transparency (alpha channel), because stitch works without it")
    if deepest := max((info.pixels.bits for info in infos if info.pixels.bits > 8), default=None):
        lost.append(f"the precision of {deepest} bits, because stitch works in 8 bits")
    if any(info.mastering_display or info.content_light for info in infos[1:]):
        lost.append("the HDR10 metadata of all inputs but the first")
    lost += other_primaries(sources)
    lost += [UNSUPPORTED_SIDE_DATA[name] for name in dict.fromkeys(n for i in infos for n in i.unsupported_side_data)]
    return lost + list(_lost_tracks(sources, copied))


def _lost_tracks(sources: Sequence[Source], copied: int | None) -> Iterator[str]:
    """The tracks, chapters and tags of each input that the film does not have."""
    why = "a sequence takes only the picture and the first sound of each input"
    if copied is not None:
        why = f"a panorama has the tracks of one input only, here {_name(sources[copied])}"
    for index, source in enumerate(sources):
        if index == copied or not isinstance(source, FileSource) or not os.path.isfile(source.path):
            continue
        tracks = ["the sound"] if copied is not None and source.info.has_audio else []
        if tracks := tracks + further_tracks(os.fspath(source.path), stereo=copied is None):
            yield f"of {_name(source)}: {', '.join(tracks)}, because {why}"


def _name(source: Source) -> str:
    return os.path.basename(source.path) if isinstance(source, FileSource) else source.name
