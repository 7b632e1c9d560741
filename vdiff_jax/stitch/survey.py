"""Getting to know a rig before anything is drawn: when each camera started, how they stand, how bright they are."""

import dataclasses
import logging
from collections.abc import Sequence

import numpy as np

from vdiff_jax.errors import StitchError
from vdiff_jax.stitch import exposure, path
from vdiff_jax.stitch.calibration import Calibration, calibrate, detect_all
from vdiff_jax.stitch.projection import Canvas, plan
from vdiff_jax.stitch.reduction import Reduction
from vdiff_jax.stitch.source import RGB, Follower, Source
from vdiff_jax.stitch.synchronise import Offset, activity, ego_motion, find_offset

logger = logging.getLogger(__name__)
_MOMENTS = 6  # frames of each camera that are matched
_SPAN = 20.0  # seconds over which they are spread
_DENSE = 300  # frames of each camera that are compared in time
_CELLS = 6000


def survey(sources: Sequence[Source]) -> tuple[Calibration, list[list[RGB]]]:
    """Calibrates a rig: geometry, offsets, gains.

    Returns:
      The calibration, and frames of each camera at the same moments.

    Raises:
      StitchError: the inputs don't make a panorama; names the pair and the reason.
    """
    names = [source.name for source in sources]
    offsets = np.zeros(len(sources))
    views = samples(sources, offsets)
    features = detect_all(views)
    try:
        calibration = calibrate(views, names, features)
    except StitchError:
        # Nothing but movers in common, or a rig on the move: its geometry shows only at the same moments.
        offsets = _offsets_from_motion(sources)
        if not offsets.any():
            raise
        views = samples(sources, offsets)
        features = detect_all(views)
        calibration = calibrate(views, names, features)
    found = _offsets_from_overlap(sources, calibration, offsets)
    if found.any():
        offsets = offsets + found - found[0]
        views = samples(sources, offsets)
        features = detect_all(views)
        calibration = _again(calibration, views, names, features)
    calibration = dataclasses.replace(calibration, offsets=offsets - offsets[0])
    calibration = path.follow(sources, calibration, features)
    return with_gains(calibration, views), views


def _again(calibration: Calibration, views: list, names: list[str], features: list) -> Calibration:
    """The calibration from frames of the same moments, in which what moves counts too; the first one if that fails."""
    try:
        return calibrate(views, names, features)
    except StitchError:
        return calibration


def samples(sources: Sequence[Source], offsets: np.ndarray, count: int = _MOMENTS) -> list[list[RGB]]:
    """Frames of every source at the same `count` moments, spread over the first 20 seconds that all share.

    Raises:
      StitchError: a source has no frames, or none at the same time as the others.
    """
    start = float(offsets.max())
    lengths = [duration(source) for source in sources]
    end = min(start + _SPAN, min(offset + length for offset, length in zip(offsets, lengths)))
    times = np.linspace(start, max(start, end - 1.5 / min(source.rate for source in sources)), count)
    if end - start < 2 / min(source.rate for source in sources):
        times = times[:1]
    found = []
    for source, offset in zip(sources, offsets):
        follower = Follower(source, float(offset))
        found.append([follower.at(float(time)) for time in times])
    both = [moment for moment in range(len(times)) if all(view[moment] is not None for view in found)]
    if not both:
        raise StitchError(f"{sources[0].name} and {sources[-1].name} have no frames at the same time")
    # A camera that goes black halfway shows nothing to match there.
    bright = [moment for moment in both if all(lit(view[moment]) for view in found)] or both
    return [[view[moment] for moment in bright] for view in found]


def lit(frame: RGB) -> bool:
    """Whether a frame is not black, as of a camera that has dropped out."""
    return bool(np.percentile(frame[::4, ::4], 99) >= 24)


def duration(source: Source) -> float:
    """Seconds a source lasts, as far as it is known beforehand."""
    if source.count is None:
        return float("inf")
    return source.count / source.rate


def with_gains(calibration: Calibration, views: list[list[RGB]]) -> Calibration:
    """The calibration with the gains that these frames show."""
    reduction = _reduction(calibration, plan(calibration))
    pictures = np.stack([reduction([view[moment] for view in views]) for moment in range(len(views[0]))])
    matched = [(pair["inputs"][0], pair["inputs"][1]) for pair in calibration.pairs]
    return dataclasses.replace(calibration, gains=exposure.gains(pictures, reduction.seen, matched))


def _reduction(calibration: Calibration, canvas: Canvas) -> Reduction:
    step = max(2, int(np.ceil((canvas.width * canvas.height / _CELLS) ** 0.5)))
    return Reduction(canvas, calibration.homographies[0], calibration.sizes, step)


def _offsets_from_overlap(sources: Sequence[Source], calibration: Calibration, known: np.ndarray) -> np.ndarray:
    """Each start relative to what is known, by what changes in what two cameras both see."""
    reduction = _reduction(calibration, plan(calibration))
    pictures, times = [], []
    for index, source in enumerate(sources):
        frames = [(time, reduction.one(index, frame)) for time, frame in first_frames(source) if lit(frame)]
        times.append(np.array([time for time, _ in frames]) + known[index])
        pictures.append(np.stack([picture for _, picture in frames]))
    if min(len(each) for each in times) < 8:
        return np.zeros(len(sources))
    found = {}
    for pair in calibration.pairs:
        first, second = pair["inputs"]
        both = reduction.seen[first] & reduction.seen[second]
        found[first, second] = find_offset(
            activity(pictures[first], both), times[first], activity(pictures[second], both), times[second]
        )
    offsets = _spread(found, len(sources), [source.name for source in sources])
    # Nearest frames are shown: a tenth of a frame's interval is no offset.
    return np.where(np.abs(offsets) < 0.1 / max(source.rate for source in sources), 0.0, offsets)


def _offsets_from_motion(sources: Sequence[Source]) -> np.ndarray:
    """Each start on the first input's clock, by how strongly the whole picture changes."""
    signals, times = [], []
    for source in sources:
        dense = list(first_frames(source, small=True))
        times.append(np.array([time for time, _ in dense]))
        signals.append(ego_motion([frame for _, frame in dense]))
    if min(len(each) for each in times) < 8:
        return np.zeros(len(sources))
    found = {
        (0, index): find_offset(signals[0], times[0], signals[index], times[index]) for index in range(1, len(sources))
    }
    return _spread(found, len(sources), [source.name for source in sources])


def first_frames(source: Source, *, small: bool = False):
    """The first 300 frames of a source with their times, reduced to a fifth if `small`."""
    for index, (time, frame) in enumerate(source.frames()):
        if index == _DENSE:
            return
        yield time, np.ascontiguousarray(frame[::5, ::5]) if small else frame


def _spread(found: dict[tuple[int, int], Offset], count: int, names: list[str]) -> np.ndarray:
    """Offsets from those of pairs, along the pairs that agree best; 0 where no pair says anything."""
    offsets = {0: 0.0}
    pairs = {pair: offset for pair, offset in found.items() if offset.found}
    while len(offsets) < count:
        reachable = [pair for pair in pairs if (pair[0] in offsets) != (pair[1] in offsets)]
        if not reachable:
            missing = next(index for index in range(count) if index not in offsets)
            logger.warning(
                "%s: nothing moves in what it shares with another; taken as started together", names[missing]
            )
            offsets[missing] = 0.0
            continue
        first, second = max(reachable, key=lambda pair: pairs[pair].agreement)
        if first in offsets:
            offsets[second] = offsets[first] + pairs[first, second].seconds
        else:
            offsets[first] = offsets[second] - pairs[first, second].seconds
    return np.array([offsets[index] for index in range(count)])
