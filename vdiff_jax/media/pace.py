"""Whether frames of two videos are matched by their numbers or by their times."""

import contextlib
from fractions import Fraction

from vdiff_jax.errors import InputError
from vdiff_jax.media.attachments import frame_times
from vdiff_jax.media.clock import clock_of
from vdiff_jax.media.video import rates_differ

_UNEVEN = Fraction(1, 50)
"""Mean rates that are measured from times in milliseconds count as equal up to this share."""
Rates = tuple[Fraction, Fraction]


def rates_in_time(paths: tuple[str | None, str | None], rates: Rates) -> Rates | None:
    """The frames per second of two videos whose frames must be matched by time; None if they match by their numbers.

    Files of a variable frame rate may declare any rate. So frames are counted, too: videos with equally many frames
    match by their numbers.

    Args:
        paths: the files; None where a video is none.
        rates: the frames per second that they declare.
    """
    if rates_differ(*rates):
        return rates
    times = [_times(path) for path in paths]
    if len(times[0]) == len(times[1]) or min(map(len, times)) < 2:
        return None
    first, second = ((len(each) - 1) / (each[-1] - each[0] or 1) for each in times)
    return (first, second) if abs(first / second - 1) > _UNEVEN else None


def _times(path: str | None) -> list[Fraction]:
    """The times of a file's frames; none if it is no video, or if its clock jumps."""
    with contextlib.suppress(InputError):
        return [] if path is None or clock_of(path).jumps else frame_times(path)
    return []
