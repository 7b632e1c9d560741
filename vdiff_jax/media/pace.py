"""Whether frames of two videos are matched by their numbers or by their times."""

import contextlib
import itertools
import statistics
from collections.abc import Sequence
from fractions import Fraction

from vdiff_jax.errors import InputError
from vdiff_jax.media.attachments import frame_times
from vdiff_jax.media.clock import clock_of, start_of
from vdiff_jax.media.video import rates_differ

_UNEVEN = Fraction(1, 50)
"""Mean rates that are measured from times in milliseconds count as equal up to this share."""
_GAP = Fraction(3, 2)
"""A step between two frames that is longer than the usual one by this factor is a gap."""
Rates = tuple[Fraction, Fraction]


def rates_in_time(paths: tuple[str | None, str | None], rates: Rates, *, starts: bool = False) -> Rates | None:
    """The frames per second of two videos whose frames must be matched by time; None if they match by their numbers.

    Files of a variable frame rate may declare any rate. So frames are counted, too: videos with equally many frames
    match by their numbers. Others match by time if their mean rates differ, or if frames are left out in one of them.

    Args:
        paths: the files; None where a video is none.
        rates: the frames per second that they declare.
        starts: time counts from the starts of the files, so that pictures that begin late are matched by time, too.
    """
    if rates_differ(*rates):
        return rates
    first, second = (shown_times(path) for path in paths)
    if len(first) == len(second) or min(len(first), len(second)) < 2:
        return None
    means = tuple((len(each) - 1) / (each[-1] - each[0] or 1) for each in (first, second))
    late = starts and abs(first[0] - second[0]) > 1 / (2 * max(means))
    uneven = abs(means[0] / means[1] - 1) > _UNEVEN or _has_gap(first) or _has_gap(second)
    return means if late or uneven else None


def _has_gap(times: Sequence[Fraction]) -> bool:
    steps = [later - earlier for earlier, later in itertools.pairwise(times)]
    return max(steps) > _GAP * statistics.median(steps)


def shown_times(path: str | None) -> list[Fraction]:
    """Seconds from the start of a file at which its frames are shown; none if it is no video, or its clock jumps."""
    with contextlib.suppress(InputError):
        if path is not None and not clock_of(path).jumps:
            start = start_of(path)
            return [time - start for time in frame_times(path)]
    return []
