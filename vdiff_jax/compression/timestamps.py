"""The times of a decompressed video's frames: the source's exact times, also if the compressed file was cut."""

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax import media
from vdiff_jax.compression.attachment import Attachment, Timestamps
from vdiff_jax.compression.track import Variant
from vdiff_jax.pixels import Frame

log = logging.getLogger(__name__)
_ROUNDING = 0.0022
"""Seconds between the largest and the smallest error of times that were rounded to milliseconds twice."""
_UNMOVED = 0.0006
"""Seconds. A larger shift of the first frame means that the file was cut or remuxed after compression."""
_HEAD = 32
"""How many frames are compared first, at every place of a long video."""
_TIME_BASE = Fraction(1, 90_000)
"""The time base of an edited file at half rate, whose missing frames are shown half-way between two others."""


class Schedule(NamedTuple):
    """The times of the frames to write.

    Attributes:
      timestamps: exact time stamps; None for those of the track.
      numbers: which of these frames the track has.
      start: seconds, in the file's own time, at which time stamps are 0.
      audio_lead: seconds of sound before that which belong to the video.
    """

    timestamps: Timestamps | None
    numbers: list[int]
    start: Fraction
    audio_lead: Fraction

    def of_video(self, info: media.VideoInfo, attachment: Attachment) -> media.VideoInfo:
        """The track's properties with the time base, start and frame rate of the video to write."""
        if self.timestamps is None:
            return info
        rate = info.rate if attachment.interpolation is None else 2 * info.rate
        time_base = self.timestamps.time_base
        return dataclasses.replace(info, time_base=time_base, start=self.start, audio_lead=self.audio_lead, rate=rate)

    def stamped(self, frames: Iterable[Frame], first: int = 0) -> Iterator[Frame]:
        """Frames from the number `first` on with the exact time stamps, or with their own if there are none."""
        if self.timestamps is None:
            yield from frames
            return
        # There are as many frames as time stamps, or fewer if the file was cut short.
        for frame, pts, step in zip(frames, self.timestamps.times[first:], self.timestamps.steps[first:]):
            yield dataclasses.replace(frame, pts=pts, duration=step)


def schedule_of(attachment: Attachment, times: Sequence[Fraction], start: Fraction, name: object) -> Schedule:
    """When the frames of a compressed file are shown. If they are not those of its attachment, logs a warning.

    Args:
      attachment: the file's attachment.
      times: seconds, in the file's own time, at which the track's frames are shown, in ascending order.
      start: seconds, in the file's own time, at which the file starts.
      name: the file's name, for messages.
    """
    timestamps, plain = attachment.timestamps, Schedule(None, [], start, Fraction(0))
    if timestamps is None:
        return plain
    own, unit = np.array([float(time) for time in times]), float(timestamps.time_base)
    exact = timestamps.lead / 1000 + np.array(timestamps.times) * unit
    numbers = kept_numbers(attachment, len(exact))
    place, shift = find_place(own, exact[numbers])
    if place is None:
        log.warning(
            "%s was edited after it was compressed: its frames get the file's own times, which are whole milliseconds",
            name,
        )
        return plain if attachment.interpolation is None else _between(own - float(start), start)
    if place == 0 and abs(shift) <= _UNMOVED:
        lead = Fraction(timestamps.lead, 1000)
        return Schedule(timestamps, numbers, lead, lead)
    first = numbers[place]
    moved = dataclasses.replace(
        timestamps,
        first=round((exact[first] + shift - float(start)) / unit),
        steps=timestamps.steps[first:],
        lead=0,
    )
    return Schedule(moved, [number - first for number in numbers[place:]], start, Fraction(0))


def kept_numbers(attachment: Attachment, count: int) -> list[int]:
    """The numbers of the frames that a track keeps, out of `count`."""
    return Variant(attachment.shape, half_rate=attachment.interpolation is not None).kept_frames(range(count), count)


def find_place(own: Float[np.ndarray, " n"], exact: Float[np.ndarray, " m"]) -> tuple[int | None, float]:
    """Finds a file's frames among those of the video that was compressed, by the distances between their times.

    Args:
      own: rounded times of the file's frames, in seconds.
      exact: times of all frames.

    Returns:
      The number of the file's first frame, None if its frames are not a part of the video; and the seconds by which
      they are shown later than in the video.
    """
    count, head = len(own), min(len(own), _HEAD)
    if not 0 < count <= len(exact):
        return None, 0.0
    windows = np.lib.stride_tricks.sliding_window_view(exact, head)[: len(exact) - count + 1]
    for place in np.flatnonzero(np.ptp(own[:head] - windows, axis=1) <= _ROUNDING):
        moved = own - exact[place : place + count]
        if np.ptp(moved) <= _ROUNDING:
            return int(place), float(moved.max() + moved.min()) / 2
    return None, 0.0


def _between(own: Float[np.ndarray, " n"], start: Fraction) -> Schedule:
    """The schedule of a track at half rate by its own times: each missing frame is in the middle of its neighbours."""
    times = np.interp(np.arange(2 * len(own) - 1) / 2, np.arange(len(own)), own)
    units = np.rint(times / float(_TIME_BASE)).astype(int)
    steps = np.diff(units).tolist()
    timestamps = Timestamps(time_base=_TIME_BASE, first=int(units[0]), steps=(*steps, steps[-1] if steps else 1))
    return Schedule(timestamps, list(range(0, len(units), 2)), start, Fraction(0))
