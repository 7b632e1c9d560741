"""Getting to know a rig before anything is drawn: when each camera started, how they stand, how bright they are."""

import contextlib
import dataclasses
import itertools
import logging
from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np

from vdiff_jax.errors import OverlapError, StitchError
from vdiff_jax.postprocess import exposure
from vdiff_jax.stitching import moving_rig
from vdiff_jax.stitching.calibration import Calibration, calibrate, detect_all, refined
from vdiff_jax.stitching.features import Features, corners, detect, project, unknown
from vdiff_jax.stitching.low_resolution import Reduction
from vdiff_jax.stitching.projection import plan
from vdiff_jax.stitching.refinement import background
from vdiff_jax.stitching.source import RGB, Follower, Source
from vdiff_jax.stitching.stabilise import steady
from vdiff_jax.stitching.synchronise import Offset, activity, best_shift, find_offset

logger = logging.getLogger(__name__)
_MOMENTS = 6  # frames of each camera that are matched
_SPAN = 20.0  # seconds over which they are spread
_DENSE = 300  # frames of each camera that are compared in time
_CELLS = 6000
_ROUNDS = 3
_NEAR = 0.5  # pixels by which geometry may change without the offsets being looked for again
_SEARCHES = ((4.0, 0.1), (1.5, 0.0))  # seconds in which moments that share features are looked for, and between them


def survey(sources: Sequence[Source], *, steadied: bool = False) -> tuple[Calibration, np.ndarray, list[list[RGB]]]:
    """Calibrates a rig: geometry, offsets, gains.

    Args:
      sources: the cameras.
      steadied: take out the shake of a rig that keeps its shape, too; it has a geometry for each frame then.

    Returns:
      The calibration, some moments in seconds on the first input's clock, and each camera's frames there.

    Raises:
      StitchError: the inputs don't make a panorama; names the pair and the reason.
    """
    first = _meet(sources)
    found = _synchronised(sources, first)
    if moving_rig.moves(found.calibration, found.features):
        # A pan passes for what moves in the picture: once more along the path that it takes.
        found = _synchronised(sources, first.along(moving_rig.follow(sources, first.calibration)))
        if len(found.calibration.times) == 1:
            found = found.along(moving_rig.follow(sources, found.calibration))
    calibration = with_gains(found.calibration, found.times, found.views)
    moving = len(calibration.times) > 1
    if (moving or steadied) and background(found.views[calibration.reference]) is None:
        calibration = steady(sources, calibration)
    return calibration, found.times, found.views


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known of a rig: its calibration, and the moments, frames and features that it was found from."""

    calibration: Calibration
    times: np.ndarray
    views: list[list[RGB]]
    features: list[list[Features]]

    def along(self, calibration: Calibration) -> "_Known":
        return dataclasses.replace(self, calibration=calibration)


def _meet(sources: Sequence[Source]) -> _Known:
    """The rig as if all cameras had started together, or when features that are shared only then say they did."""
    try:
        return _at(sources, np.zeros(len(sources)))
    except OverlapError:
        # Nothing but movers in common, or a rig on the move: its geometry shows only at the same moments; in a thin
        # overlap or a quick pan, only at the very same ones.
        for searched, apart in _SEARCHES:
            offsets = _offsets_from_features(sources, searched, apart)
            if offsets.any():
                with contextlib.suppress(OverlapError):
                    return _at(sources, offsets)
        raise


def _at(sources: Sequence[Source], offsets: np.ndarray) -> _Known:
    times, views = samples(sources, offsets)
    features = detect_all(views)
    calibration = calibrate(views, [source.name for source in sources], features)
    calibration = dataclasses.replace(calibration, offsets=offsets - offsets[0])
    return _Known(calibration=calibration, times=times, views=views, features=features)


def _synchronised(sources: Sequence[Source], known: _Known) -> _Known:
    """The same from frames of the same moments, if what moves in the overlaps says that others are.

    Once is enough for cameras on stands. Where the rig itself moves, frames of other moments made the geometry wrong,
    and it the offsets: again, until neither changes.
    """
    for _ in range(_ROUNDS):
        later = _offsets_from_overlap(sources, known.calibration)
        if not later.any():
            break
        before, offsets = known.calibration, known.calibration.offsets + later - later[0]
        try:
            known = _at(sources, offsets)
        except StitchError:
            # Features say too little there; where the cameras are is known roughly, and the pictures say the rest.
            times, views = samples(sources, offsets)
            matches = [unknown(*pair["inputs"]) for pair in before.pairs]
            moved = dataclasses.replace(refined(before, matches, views), offsets=offsets - offsets[0])
            return _Known(calibration=moved, times=times, views=views, features=detect_all(views))
        if _apart(before, known.calibration) < _NEAR:
            break
    return known


def _apart(one: Calibration, other: Calibration) -> float:
    """How far the corners of the pictures lie apart in two calibrations of a rig, in the median, pixels."""
    frames = [corners(*size) for size in one.sizes]
    places = []
    for each in (one, other):
        relative = np.linalg.inv(each.homographies[0, 0]) @ each.homographies[0]
        places.append([project(homography, frame) for homography, frame in zip(relative, frames)])
    return float(np.median(np.linalg.norm(np.subtract(*places), axis=-1)[1:]))


def samples(
    sources: Sequence[Source], offsets: np.ndarray, count: int = _MOMENTS
) -> tuple[np.ndarray, list[list[RGB]]]:
    """Up to `count` moments, spread over the first 20 seconds that all share, and every source's frames there.

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
    return times[bright], [[view[moment] for moment in bright] for view in found]


def lit(frame: RGB) -> bool:
    """Whether a frame is not black, as of a camera that has dropped out."""
    return bool(np.percentile(frame[::4, ::4], 99) >= 24)


def duration(source: Source) -> float:
    """Seconds a source lasts, as far as it is known beforehand."""
    if source.count is None:
        return float("inf")
    return source.count / source.rate


def with_gains(calibration: Calibration, times: np.ndarray, views: list[list[RGB]]) -> Calibration:
    """The calibration with the gains that these frames show."""
    reduction_at = _reductions(calibration)
    reductions = [reduction_at(time) for time in times]
    pictures = np.stack([each([view[index] for view in views]) for index, each in enumerate(reductions)])
    seen = np.logical_and.reduce([each.seen for each in reductions])
    matched = [(pair["inputs"][0], pair["inputs"][1]) for pair in calibration.pairs]
    return dataclasses.replace(calibration, gains=exposure.gains(pictures, seen, matched))


def _reductions(calibration: Calibration) -> Callable[[float], Reduction]:
    """The cameras on one small canvas at any time; a rig that keeps its shape has one reduction for all."""
    canvas = plan(calibration)
    step = max(2, int(np.ceil((canvas.width * canvas.height / _CELLS) ** 0.5)))

    def at(time: float) -> Reduction:
        return Reduction(canvas, calibration.at(time), calibration.sizes, step)

    if len(calibration.times) > 1:
        return at
    still = at(0.0)
    return lambda _: still


def _offsets_from_overlap(sources: Sequence[Source], calibration: Calibration) -> np.ndarray:
    """Each start relative to what is known, by what changes in what two cameras both see."""
    reduction_at = _reductions(calibration)
    pictures, seen, times = [], [], []
    for index, (source, offset) in enumerate(zip(sources, calibration.offsets)):
        small, always, moments = [], True, []
        for time, frame in first_frames(source):
            if lit(frame):
                reduction = reduction_at(time + offset)
                small.append(reduction.one(index, frame))
                always = always & reduction.seen[index]
                moments.append(time + offset)
        if len(small) < 8:
            return np.zeros(len(sources))
        pictures.append(np.stack(small))
        seen.append(always)
        times.append(np.array(moments))
    found = {}
    for pair in calibration.pairs:
        first, second = pair["inputs"]
        both = seen[first] & seen[second]
        if both.any():
            found[first, second] = find_offset(
                activity(pictures[first], both), times[first], activity(pictures[second], both), times[second]
            )
    offsets = _spread(found, len(sources), [source.name for source in sources])
    # Nearest frames are shown: a tenth of a frame's interval is no offset.
    return np.where(np.abs(offsets) < 0.1 / max(source.rate for source in sources), 0.0, offsets)


def _offsets_from_features(sources: Sequence[Source], searched: float, apart: float) -> np.ndarray:
    """Each start on the first input's clock: the shift in time at which most features agree on one geometry.

    Args:
      sources: the cameras.
      searched: seconds of each that are looked at.
      apart: seconds between the moments; frame by frame where frames are farther apart.
    """
    step = max(apart, 1 / min(source.rate for source in sources))
    moments = []
    for source in sources:
        every = max(1, round(source.rate * step))
        frames = itertools.islice(source.frames(), 0, int(searched * source.rate), every)
        moments.append([(time, detect(_small(frame))) for time, frame in frames])
    found = {
        pair: best_shift(moments[pair[0]], moments[pair[1]], step=step)
        for pair in itertools.combinations(range(len(sources)), 2)
    }
    return _spread(found, len(sources))


def _small(frame: RGB) -> RGB:
    """A frame of at most 640 pixels: enough to count what matches."""
    scale = min(1.0, 640 / max(frame.shape))
    return cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def first_frames(source: Source) -> Iterator[tuple[float, RGB]]:
    """The first 300 frames of a source with their times."""
    return itertools.islice(source.frames(), _DENSE)


def _spread(found: dict[tuple[int, int], Offset], count: int, names: list[str] | None = None) -> np.ndarray:
    """Offsets from those of pairs, along the pairs that agree best; 0 where no pair says anything, told by `names`."""
    offsets = {0: 0.0}
    pairs = {pair: offset for pair, offset in found.items() if offset.found}
    while len(offsets) < count:
        reachable = [pair for pair in pairs if (pair[0] in offsets) != (pair[1] in offsets)]
        if not reachable:
            missing = next(index for index in range(count) if index not in offsets)
            if names is not None:
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
