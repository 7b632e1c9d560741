"""Propagation: fills holes with samples from other frames of the shot, and estimates the error of the fill.

Each point of a hole is followed from frame to frame, in both directions of time, to the first frames that show it. Its
sample is interpolated once, from that frame, so nothing is blurred. Two motions are tried: the measured flow, continued
into holes from around them, and the camera motion alone. How well a motion matches the known pixels around a point
gives the expected error of its sample (`fill_error.py`). In frames that were filled so, the flow can be measured inside
holes too: everything is done a second time with that flow as the third motion.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.fill_error import Estimate, local_detail, propagated_error, spatial_error, weighted_mean
from vdiff_jax.stream.flow import MotionMeter, half_size
from vdiff_jax.stream.motion_path import MotionPath, Points, ShotFrame, in_plane, measure_motion
from vdiff_jax.stream.samples import luma_of, mask_at_scale, normalised_step, plane_groups, to_samples
from vdiff_jax.stream.warp import sample_at

REACH = 32
"""Frames in each direction that are searched for a hidden point."""
_COARSE_DISTANCES = (1, 2, 3, 4, 6, 8, 11, 14, 18, 22, 27, 32)
"""The frames that are searched in the first of the two passes."""
_SOURCES = 2
"""Frames in each direction that a point is propagated from."""
_APART = 4
"""Frames between these sources, so that their errors are independent."""
_HELD_BYTES = 256 << 20
"""Memory for the frames of a shot; large frames are searched for over a shorter reach."""
_THIN = 4.0
"""Points that no other frame shows are filled from around them up to this many pixels from a known one.

The network fills the rest."""
_BOTH = np.ones(2, np.float32)


def propagate(frames: Iterable[AnalysedFrame], pixels: PixelFormat) -> Iterator[AnalysedFrame]:
    """Fills what is hidden from other frames of the shot, and sets `error` and the flow frames' `displacements`.

    Frames without a mask pass unchanged. A frame is yielded up to 2 × `REACH` frames after it was read.
    """
    first_pass = (
        _with_filled_luma(item, filled, pixels) for item, filled in _filled(frames, pixels, motion_in_holes=False)
    )
    return (filled for _, filled in _filled(first_pass, pixels, motion_in_holes=True))


def _filled(
    frames: Iterable[AnalysedFrame], pixels: PixelFormat, *, motion_in_holes: bool
) -> Iterator[tuple[AnalysedFrame, AnalysedFrame]]:
    """Each frame, and the same with its holes filled: all planes where motion in holes is measured, else luma alone."""
    meter = MotionMeter()
    shot: list[ShotFrame] = []
    done = 0  # how many of the frames in memory have been yielded

    def fill(index: int) -> tuple[AnalysedFrame, AnalysedFrame]:
        return shot[index].item, _fill_frame(shot, index, pixels, luma_only=not motion_in_holes)

    for item in frames:
        if item.mask is None:
            yield item, item
            continue
        if item.starts_shot:
            yield from map(fill, range(done, len(shot)))
            shot, done = [], 0
        shot.append(ShotFrame(item))
        if len(shot) > 1:
            measure_motion(*shot[-2:], meter, in_holes=motion_in_holes)
        reach = int(np.clip(_HELD_BYTES // (2 * _size(item.frame)), 2, REACH))
        if len(shot) - done > reach:
            yield fill(done)
            done += 1
        if done > reach:
            del shot[0]
            done -= 1
    yield from map(fill, range(done, len(shot)))


def _with_filled_luma(item: AnalysedFrame, filled: AnalysedFrame, pixels: PixelFormat) -> AnalysedFrame:
    """The frame, with the flow frame made of filled luma: flow is then measured inside holes too."""
    if item.mask is None or item.flow_frame.small is None:
        return item
    luma = luma_of(filled.frame, pixels)
    padding = np.subtract(item.flow_frame.size, luma.shape)
    small = half_size(cv2.copyMakeBorder(luma, 0, int(padding[0]), 0, int(padding[1]), cv2.BORDER_REPLICATE))
    return dataclasses.replace(item, flow_frame=dataclasses.replace(item.flow_frame, small=small))


def _size(frame: Frame) -> int:
    return sum(plane.nbytes for plane in frame.planes)


@dataclasses.dataclass(frozen=True)
class _Targets:
    """The hidden samples of the planes of one size.

    Attributes:
      points: where they lie.
      scale: pixels that a sample stands for, (y, x).
      planes: the numbers of the planes.
      detail: from `local_detail`.
      depth: the distance to the nearest known pixel, in pixels.
    """

    points: Points
    scale: tuple[int, int]
    planes: tuple[int, ...]
    detail: Float[np.ndarray, " n"]
    depth: Float[np.ndarray, " n"]


def _fill_frame(shot: Sequence[ShotFrame], index: int, pixels: PixelFormat, *, luma_only: bool) -> AnalysedFrame:
    """A frame of the shot with its holes filled, the expected error, and the displacements to its neighbours."""
    item = _with_displacements(shot, index)
    error = item.expected_error.copy()
    if item.flow_frame.small is None or not item.hidden.any():
        return dataclasses.replace(item, error=error)
    planes = [plane.copy() for plane in item.frame.planes]
    motions = itertools.product((-1, 1), range(shot[index].motion_count))
    paths = [MotionPath(shot, index, direction, motion, coarse=luma_only) for direction, motion in motions]
    for scale, numbers in plane_groups(pixels)[: 1 if luma_only else None]:
        rows, columns = np.nonzero(mask_at_scale(item.hidden, scale))
        points = np.stack([scale[1] * (columns + 0.5) - 0.5, scale[0] * (rows + 0.5) - 0.5], axis=-1).astype(np.float32)
        targets = _Targets(points, scale, numbers, local_detail(item, points, pixels), _depth(item, points))
        estimates = [_spatial_estimate(item, targets, pixels)]
        estimates += itertools.chain.from_iterable(_propagated_estimates(path, targets, pixels) for path in paths)
        samples, expected = weighted_mean(estimates)
        never_shown = np.all([np.isinf(errors) for _, errors in estimates[1:]], axis=0)
        expected[never_shown & (targets.depth > _THIN)] = np.inf
        for number, values in zip(numbers, samples):
            plane = planes[number]
            plane[rows, columns] = to_samples(values / normalised_step(plane, pixels), plane.dtype, pixels)
        if scale == (1, 1):
            error[rows, columns] = expected
    return dataclasses.replace(item, frame=dataclasses.replace(item.frame, planes=tuple(planes)), error=error)


def _with_displacements(shot: Sequence[ShotFrame], index: int) -> AnalysedFrame:
    """The frame with the displacements to its neighbours in its flow frame, so that they are not measured again."""
    item = shot[index].item
    neighbours = ((shot[index].backward, index - 1), (shot[index].forward, index + 1))
    displacements = {shot[n].item.flow_frame.time: motions[0] for motions, n in neighbours if motions is not None}
    return dataclasses.replace(item, flow_frame=dataclasses.replace(item.flow_frame, displacements=displacements))


def _spatial_estimate(item: AnalysedFrame, targets: _Targets, pixels: PixelFormat) -> Estimate:
    """The fill from the surroundings, which the frame has already."""
    nearest = cv2.INTER_NEAREST
    samples = [_values_at(item.frame.planes[n], targets.points, targets.scale, pixels, nearest) for n in targets.planes]
    return np.stack(samples), spatial_error(targets.detail, np.maximum(targets.depth, 1))


def _depth(item: AnalysedFrame, points: Points) -> Float[np.ndarray, " n"]:
    """The distance of hidden points to the nearest known pixel, in pixels."""
    return sample_at(cv2.distanceTransform(item.hidden.astype(np.uint8), cv2.DIST_L2, 3), points)


def _propagated_estimates(path: MotionPath, targets: _Targets, pixels: PixelFormat) -> list[Estimate]:
    """The samples of the first frames on a path that show the targets, one estimate for each of `_SOURCES`."""
    samples = np.zeros((_SOURCES, len(targets.planes), len(targets.points)), np.float32)
    errors = np.full((_SOURCES, len(targets.points)), np.inf, np.float32)
    found, last_distance = np.zeros(len(targets.points), int), np.full(len(targets.points), -_APART)
    open_targets = np.arange(len(targets.points))
    on_grid = (targets.points + 0.5) / VELOCITY_GRID - 0.5 - path.points[0, 0]
    # The square of how far a point may move in any direction and still lie inside the same hole.
    inside = np.square(np.maximum(0.9 * targets.depth - 2 * max(targets.scale), 0))
    for distance in _COARSE_DISTANCES if path.coarse else itertools.count(1):
        displacement = path.displacement(distance)
        if displacement is None or not len(open_targets):
            break
        tried = open_targets[distance - last_distance[open_targets] >= _APART]
        if not len(tried):
            continue
        moves = sample_at(displacement, on_grid[tried])
        if path.has_same_hole(distance):
            outside = np.square(moves) @ _BOTH > inside[tried]
            tried, moves = tried[outside], moves[outside]
        if not len(tried):
            continue
        source, points = path.frame(distance), targets.points[tried] + moves
        shown = source.shows(points, targets.scale)
        if not shown.any():
            continue
        hit = tried[shown]
        mismatch = sample_at(path.mismatch(distance), on_grid[hit])
        errors[found[hit], hit] = propagated_error(mismatch, targets.detail[hit], distance)
        for row, n in enumerate(targets.planes):
            plane = source.item.frame.planes[n]
            samples[found[hit], row, hit] = _values_at(plane, points[shown], targets.scale, pixels, cv2.INTER_CUBIC)
        found[hit] += 1
        last_distance[hit] = distance
        open_targets = open_targets[found[open_targets] < _SOURCES]
    return list(zip(samples, errors))


def _values_at(
    plane: np.ndarray, points: Points, scale: tuple[int, int], pixels: PixelFormat, interpolation: int
) -> Float[np.ndarray, " n"]:
    """A plane's values in [0, 1] at points in pixels."""
    samples = sample_at(plane, in_plane(points, scale), interpolation)
    return samples.astype(np.float32) * normalised_step(plane, pixels)
