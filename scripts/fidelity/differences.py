"""How a result differs from its source, and which of the differences a warning names."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fidelity.contents import Stream
from vdiff_jax.media.labels import QUICKTIME_LANGUAGES

MATROSKA_ROUNDING = 0.0011
"""Seconds by which a time in whole milliseconds may differ from an exact one."""
_SYNC = 0.02
"""Seconds by which sound that is encoded again may start or end at another time."""
_ENCODED_FRAME = 0.05
"""Seconds that an encoder's last packet may add to the sound."""
_LARGEST_ERROR = 0.02
"""The largest mean difference of two equal frames' thumbnails, in [0, 1]."""
_INFERRED = 1 | 1 << 16
"""The bits of a disposition that FFmpeg infers when it reads MP4: a default track of each kind, and captions."""
WORDS = {
    "transparency": r"transparency",
    "field order": r"field order",
    "HDR10 metadata": r"mastering display|content light level",
    "captions": r"captions",
    "colour tags": r"HDR colour tags",
    "depth": r"\d+ bits",
    "cover": r"video track|cover",
    "video": r"video track",
    "data": r"data track",
    "attachment": r"attachment track",
    "subtitle": r"subtitle",
    "audio": r"audio track",
    "layout": r"its channels",
    "codec": r"encoded again",
    "file tags": r"the tags ",
    "title": r"the title ",
    "language": r"the language ",
    "disposition": r"the mark ",
    "frames": r"truncated or damaged|changes its size",
    "time": r"evenly spaced",
    "sample aspect": r"sample aspect",
    "chroma location": r"chroma location",
}
"""What a warning says of each kind of difference."""


class Difference(NamedTuple):
    """Something that the result does not keep.

    Attributes:
      kind: a key of `WORDS`, or another name where no warning excuses it.
      text: what was found.
    """

    kind: str
    text: str

    def explained(self, warnings: Sequence[str]) -> bool:
        """Whether a warning names it."""
        return self.kind in WORDS and any(re.search(WORDS[self.kind], warning) for warning in warnings)


class Row(NamedTuple):
    """One stream of a source beside what became of it.

    Attributes:
      source: the stream.
      result: the stream in the result; None if there is none.
      differences: what is not kept.
    """

    source: Stream
    result: Stream | None
    differences: list[Difference]


def matched(source: Sequence[Stream], result: Sequence[Stream]) -> list[Row]:
    """Each stream of the source with the stream of the same kind and place in the result."""
    rows = []
    for kind in dict.fromkeys(stream.kind for stream in source):
        ours = [stream for stream in source if stream.kind == kind]
        theirs = [stream for stream in result if stream.kind == kind]
        for number, stream in enumerate(ours):
            found = theirs[number] if number < len(theirs) else None
            differences = list(_differences(stream, found))
            rows.append(Row(stream, found, differences))
    return rows


def _differences(source: Stream, result: Stream | None) -> Iterator[Difference]:
    if result is None:
        yield Difference(source.kind, "missing")
    elif source.kind == "video" and source.tags:
        yield from _of_pictures(source, result)
    elif source.kind == "audio":
        yield from _of_sound(source, result)
    elif source.kind == "cover":
        return
    elif source.kind == "file":
        yield from _of_file_tags(source.tags, result.tags)
    else:
        yield from _of_packets(source, result)


def _of_pictures(source: Stream, result: Stream) -> Iterator[Difference]:
    if len(source.times) != len(result.times):
        yield Difference("frames", f"{len(source.times)} frames became {len(result.times)}")
    yield from _of_times(source, result)
    errors = [float(np.abs(a - b).mean()) for a, b in zip(source.prints, result.prints, strict=False)]
    if errors and max(errors) > _LARGEST_ERROR:
        yield Difference("pictures", f"frame {int(np.argmax(errors))} differs by {max(errors):.3f}")
    yield from _of_video_tags(source.tags, result.tags)


def _of_video_tags(ours: dict, theirs: dict) -> Iterator[Difference]:
    kinds = {"alpha": "transparency", "fields": "field order", "A53_CC": "captions"}
    kinds |= {"MASTERING_DISPLAY_METADATA": "HDR10 metadata", "CONTENT_LIGHT_LEVEL": "HDR10 metadata"}
    kinds |= {"sample aspect": "sample aspect", "bits": "depth"}
    for name, value in ours.items():
        other = theirs.get(name)
        if name == "disposition" and (value | _INFERRED) == (other | _INFERRED):
            continue
        if other == value or (name in ("alpha", *kinds) and value in (False, "progressive")):
            continue
        if name in ("range", "matrix", "colour model") and ours["colour model"] != "yuv":
            continue  # R'G'B' and grey are converted where few players show them
        if name in ("primaries", "transfer", "matrix", "range") and value in (0, 2) and name != "range":
            continue  # unspecified
        if name == "range" and (value or 1) == (other or 1):
            continue
        if name == "bits" and other is not None and other > value:
            continue
        yield Difference(kinds.get(name, name), f"{name} {value} became {other}")


def _of_times(source: Stream, result: Stream, tolerance: float = MATROSKA_ROUNDING) -> Iterator[Difference]:
    count = min(len(source.times), len(result.times))
    gaps = np.subtract(result.times[:count], source.times[:count])
    for place in source.stretches:  # how long the jump lasts is not known
        gaps[place:] -= gaps[place] if place < count else 0
    gaps = np.abs(gaps)
    if len(gaps) and gaps.max() > tolerance:
        yield Difference("time", f"number {int(np.argmax(gaps))} is {gaps.max() * 1000:.1f} ms off")


def _of_sound(source: Stream, result: Stream) -> Iterator[Difference]:
    if source.codec == result.codec:
        yield from _of_packets(source, result)
        return
    yield Difference("codec", f"{source.codec} became {result.codec}")
    if source.times and result.times:
        # What an edit list hides before the picture is decoded, but not encoded again.
        starts = abs(max(source.times[0], min(result.times[0], 0.0)) - result.times[0])
        ends = abs(source.end - result.end)
        if starts > _SYNC + _ENCODED_FRAME or ends > _SYNC + _ENCODED_FRAME:
            yield Difference("time", f"starts {1000 * starts:.0f} ms and ends {1000 * ends:.0f} ms off")
    yield from _of_tags(source, result, {"layout": "layout"})


def _of_packets(source: Stream, result: Stream) -> Iterator[Difference]:
    if len(source.prints) != len(result.prints):
        yield Difference(source.kind, f"{len(source.prints)} packets became {len(result.prints)}")
    elif source.codec == result.codec and source.prints != result.prints:
        yield Difference("bytes", "packets differ")
    yield from _of_times(source, result)
    yield from _of_tags(source, result, {})


def _of_tags(source: Stream, result: Stream, kinds: dict[str, str]) -> Iterator[Difference]:
    for name, value in source.tags.items():
        other = result.tags.get(name)
        if name == "layout" and _channels(value) == _channels(other):
            continue
        if name == "disposition" and (value | _INFERRED) == (other | _INFERRED):
            continue
        if name == "language" and QUICKTIME_LANGUAGES.get(value) == other:
            continue
        if name in ("language", "filename", "mimetype", "layout", "title", "disposition") and other != value:
            yield Difference(kinds.get(name, name), f"{name} {value} became {other}")


def _of_file_tags(ours: dict, theirs: dict) -> Iterator[Difference]:
    for name, value in ours.items():
        if value and (theirs.get(name) or "").lower() != value.lower():
            yield Difference("file tags", f"{name} {value} became {theirs.get(name)}")


def _channels(layout: str) -> str:
    """The layout that players assume where a file only says how many channels there are."""
    plain = dict(enumerate(("mono", "stereo", "2.1", "4.0", "5.0", "5.1", "6.1", "7.1"), start=1))
    count = layout.removesuffix(" channels")
    return plain.get(int(count), layout) if count.isdigit() else layout
