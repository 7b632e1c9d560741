"""What holes hide, brought from the frames that show it, along the motion; with the error to expect of it.

A place under a hole is followed from frame to frame, each way in time, to the first frames that show it, and its sample
is taken from there, once, so that nothing blurs. Motion is followed in two ways: as it was measured, continued under
holes from around them, and as the camera's alone. How well each explains what is known around a place tells what to
expect of it there (`estimate.py`). In frames that are filled so the motion under holes can be measured too: it is
followed as the third way when everything is done a second time.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from vdiff_jax.observation import VELOCITY_GRID
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.analysis import AnalysedFrame
from vdiff_jax.stream.expected_error import Found, combine, detail_around, followed_error, spatial_error
from vdiff_jax.stream.flow import FlowFrame, MotionMeter, camera_motion, half_size
from vdiff_jax.stream.push_pull import push_pull_fill
from vdiff_jax.stream.samples import box_of, covered, grids_of, luma_of, rounded, unit
from vdiff_jax.stream.warp import grid_points, remap

REACH = 32
"""Frames each way in which a place is looked for."""
_SOME = (1, 2, 3, 4, 6, 8, 11, 14, 18, 22, 27, 32)
"""Frames away that are asked where no more than motion is to be measured on what they tell."""
_WITNESSES = 2
"""Frames each way that tell of a place."""
_APART = 4
"""Frames between them, so that they tell different things."""
_HELD_BYTES = 256 << 20
_AROUND = 8
"""Points of the velocity's grid around holes on which motion is judged."""
_BLUR = 2.0
"""Points over which an error on what is known speaks for what is not."""
_UNTOLD = 255.0
_THIN = 4.0
"""Pixels from what is known to which a fill from around tells something; beyond them the network's own is better."""
_ROW = 512
_BOTH = np.ones(2, np.float32)

Field = Float[np.ndarray, "hv wv 2"]
Places = Float[np.ndarray, "n 2"]
"""x and y in pixels."""


@dataclasses.dataclass
class Witness:
    """A frame of a shot.

    Attributes:
      item: the frame, its holes filled from around them.
      back: the motion to the frame before, followed in each way; `None` where there is none.
      forth: the motion to the frame after.
    """

    item: AnalysedFrame
    back: tuple[Field, ...] | None = None
    forth: tuple[Field, ...] | None = None
    _hidden: dict[tuple[int, int], UInt8[np.ndarray, "h w"]] = dataclasses.field(default_factory=dict)

    def shows(self, at: Places, scale: tuple[int, int]) -> Bool[np.ndarray, " n"]:
        """Whether these places are inside, and all samples beside them known."""
        if scale not in self._hidden:
            self._hidden[scale] = covered(self.item.mask, scale).astype(np.uint8) * np.uint8(255)
        height, width = self.item.mask.shape
        x, y = at.T
        inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
        return inside & (_at(self._hidden[scale], _in_plane(at, scale)) < 1)


def propagate(prepared: Iterable[AnalysedFrame], pixels: PixelFormat) -> Iterator[AnalysedFrame]:
    """Fills what masks cover from the other frames of the shot, and says what error to expect; up to 2 `REACH` behind.

    Frames without a mask pass as they are. What was measured of the motion stays with the frames.
    """
    once = (_seen_filled(item, filled, pixels) for item, filled in _brought(prepared, pixels, under_holes=False))
    return (filled for _, filled in _brought(once, pixels, under_holes=True))


def _brought(
    prepared: Iterable[AnalysedFrame], pixels: PixelFormat, *, under_holes: bool
) -> Iterator[tuple[AnalysedFrame, AnalysedFrame]]:
    """Each frame, and the same with what other frames hold; `under_holes`: motion was measured there too."""
    meter, shot, done = MotionMeter(), [], 0  # of the shot's frames that are held, those that were given out

    def bring(number: int) -> tuple[AnalysedFrame, AnalysedFrame]:
        return shot[number].item, brought(shot, number, pixels, luma_alone=not under_holes)

    for item in prepared:
        if item.mask is None:
            yield item, item
            continue
        if item.starts_shot:
            yield from map(bring, range(done, len(shot)))
            shot, done = [], 0
        shot.append(Witness(item))
        _join(shot, meter, under_holes=under_holes)
        reach = int(np.clip(_HELD_BYTES // (2 * _size(item.frame)), 2, REACH))
        if len(shot) - done > reach:
            yield bring(done)
            done += 1
        if done > reach:
            del shot[0]
            done -= 1
    yield from map(bring, range(done, len(shot)))


def _seen_filled(item: AnalysedFrame, filled: AnalysedFrame, pixels: PixelFormat) -> AnalysedFrame:
    """The frame, on which motion is measured as if what was brought under its holes were known."""
    if item.mask is None or item.flow_frame.small is None:
        return item
    luma = luma_of(filled.frame, pixels)
    beyond = np.subtract(item.flow_frame.size, luma.shape)
    small = half_size(cv2.copyMakeBorder(luma, 0, int(beyond[0]), 0, int(beyond[1]), cv2.BORDER_REPLICATE))
    return dataclasses.replace(item, flow_frame=dataclasses.replace(item.flow_frame, small=small, displacements={}))


def _size(frame: Frame) -> int:
    return sum(plane.nbytes for plane in frame.planes)


def _join(shot: Sequence[Witness], meter: MotionMeter, *, under_holes: bool) -> None:
    """Measures the motion between the last frame and the one before it."""
    if len(shot) < 2 or any(witness.item.flow_frame.small is None for witness in shot[-2:]):
        return
    for one, other, name in ((shot[-2], shot[-1], "forth"), (shot[-1], shot[-2], "back")):
        field, trusted = meter.displacement_and_trust(one.item.flow_frame, other.item.flow_frame)
        continued = push_pull_fill(field, trusted)
        one.item.flow_frame.displacements[other.item.flow_frame.time] = continued
        ways = continued, camera_motion(continued, trusted)
        setattr(one, name, (*ways, field) if under_holes else ways)


def brought(shot: Sequence[Witness], index: int, pixels: PixelFormat, *, luma_alone: bool = False) -> AnalysedFrame:
    """The shot's frame of this number with its holes filled, luma's alone if asked; and the error to expect in them."""
    item = shot[index].item
    error = np.where(item.mask, np.float32(np.inf), np.float32(0))
    if item.flow_frame.small is None or not item.mask.any():
        return dataclasses.replace(item, error=error)
    planes = [plane.copy() for plane in item.frame.planes]
    ways = len(shot[index].back or shot[index].forth or ())
    turns = itertools.product((-1, 1), range(ways))
    paths = [_Path(shot, index, direction, way, roughly=luma_alone) for direction, way in turns]
    for scale, numbers in grids_of(pixels)[: 1 if luma_alone else None]:
        rows, columns = np.nonzero(covered(item.mask, scale))
        at = np.stack([scale[1] * (columns + 0.5) - 0.5, scale[0] * (rows + 0.5) - 0.5], axis=-1).astype(np.float32)
        asked = _Asked(at, scale, numbers, detail_around(item, at, pixels), _depth(item, at))
        found = [_spatial(item, asked, pixels)]
        found += itertools.chain.from_iterable(_follow(path, asked, pixels) for path in paths)
        samples, expected = combine(found)
        unseen = np.all([np.isinf(errors) for _, errors in found[1:]], axis=0)
        expected[unseen & (asked.depth > _THIN)] = np.inf
        for number, values in zip(numbers, samples):
            planes[number][rows, columns] = rounded(values / unit(planes[number], pixels), planes[number].dtype, pixels)
        if scale == (1, 1):
            error[rows, columns] = expected
    return dataclasses.replace(item, frame=dataclasses.replace(item.frame, planes=tuple(planes)), error=error)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """Places whose samples are asked for.

    Attributes:
      at: where they lie.
      scale: pixels that a sample stands for, (y, x).
      numbers: of the planes.
      detail: how hard it is to tell the picture around them from their neighbours.
      depth: how far from what is known they lie, in pixels.
    """

    at: Places
    scale: tuple[int, int]
    numbers: tuple[int, ...]
    detail: Float[np.ndarray, " n"]
    depth: Float[np.ndarray, " n"]


def _spatial(item: AnalysedFrame, asked: _Asked, pixels: PixelFormat) -> Found:
    """The fill that is there."""
    samples = [_sample(item.frame.planes[n], asked.at, asked.scale, pixels, cv2.INTER_NEAREST) for n in asked.numbers]
    return np.stack(samples), spatial_error(asked.detail, np.maximum(asked.depth, 1))


def _depth(item: AnalysedFrame, at: Places) -> Float[np.ndarray, " n"]:
    """How far from what is known these places lie, in pixels."""
    return _at(cv2.distanceTransform(item.mask.astype(np.uint8), cv2.DIST_L2, 3), at)


class _Path:
    """The way back or forth from a frame, along one kind of motion, computed as far as it is followed.

    Each step holds how far what surrounds the frame's holes moved, and how badly the frame there, moved back, agrees.
    """

    def __init__(self, shot: Sequence[Witness], index: int, direction: int, way: int, *, roughly: bool):
        self.roughly = roughly
        self._shot, self._index, self._direction, self._way = shot, index, direction, way
        self._here = shot[index].item
        self.points = _surroundings(self._here)
        self._moved: list[Field] = [np.zeros_like(self.points)]
        self._mismatches: dict[int, Float[np.ndarray, "hb wb"]] = {}

    def moved(self, distance: int) -> Field | None:
        """Where the surroundings lie that many frames away; `None` beyond the shot or where motion is unknown."""
        while distance >= len(self._moved):
            before = self._index + self._direction * (len(self._moved) - 1)
            if not 0 <= before + self._direction < len(self._shot):
                return None
            fields = self._shot[before].forth if self._direction > 0 else self._shot[before].back
            if fields is None:
                return None
            last = self._moved[-1]
            self._moved.append(last + remap(fields[self._way], self.points + last / VELOCITY_GRID))
        return self._moved[distance]

    def witness(self, distance: int) -> Witness:
        """The frame that many frames away."""
        return self._shot[self._index + self._direction * distance]

    def hole_stays(self, distance: int) -> bool:
        """Whether the same is hidden in the frame that many frames away."""
        there = self.witness(distance).item.mask
        return there is self._here.mask or np.array_equal(there, self._here.mask)

    def mismatch(self, distance: int) -> Float[np.ndarray, "hb wb"]:
        """Of what is known around, in 8-bit units."""
        if distance not in self._mismatches:
            there = self.witness(distance).item.flow_frame
            self._mismatches[distance] = _mismatch(self._here.flow_frame, there, self.points, self._moved[distance])
        return self._mismatches[distance]


def _follow(path: _Path, asked: _Asked, pixels: PixelFormat) -> list[Found]:
    """What the first frames on a path that show the places hold there."""
    samples = np.zeros((_WITNESSES, len(asked.numbers), len(asked.at)), np.float32)
    errors = np.full((_WITNESSES, len(asked.at)), np.inf, np.float32)
    had, since = np.zeros(len(asked.at), int), np.full(len(asked.at), -_APART)
    left = np.arange(len(asked.at))
    on_grid = (asked.at + 0.5) / VELOCITY_GRID - 0.5 - path.points[0, 0]
    # The square of how far a place may move in any direction and still lie under the same hole.
    within = np.square(np.maximum(0.9 * asked.depth - 2 * max(asked.scale), 0))
    for distance in _SOME if path.roughly else itertools.count(1):
        moved = path.moved(distance)
        if moved is None or not len(left):
            break
        witness = path.witness(distance)
        asking = left[distance - since[left] >= _APART]
        if not len(asking):
            continue
        moves = _at(moved, on_grid[asking])
        if path.hole_stays(distance):
            away = np.square(moves) @ _BOTH > within[asking]
            asking, moves = asking[away], moves[away]
        if not len(asking):
            continue
        at = asked.at[asking] + moves
        shown = witness.shows(at, asked.scale)
        if not shown.any():
            continue
        hit = asking[shown]
        errors[had[hit], hit] = followed_error(_at(path.mismatch(distance), on_grid[hit]), asked.detail[hit], distance)
        for row, n in enumerate(asked.numbers):
            plane = witness.item.frame.planes[n]
            samples[had[hit], row, hit] = _sample(plane, at[shown], asked.scale, pixels, cv2.INTER_CUBIC)
        had[hit] += 1
        since[hit] = distance
        left = left[had[left] < _WITNESSES]
    return list(zip(samples, errors))


def _surroundings(here: AnalysedFrame) -> Float[np.ndarray, "hb wb 2"]:
    """The points of the velocity's grid in which the holes and what is around them lie."""
    size = here.flow_frame.size[0] // VELOCITY_GRID, here.flow_frame.size[1] // VELOCITY_GRID
    box = box_of(here.mask, _AROUND * VELOCITY_GRID)
    assert box is not None
    rows, columns = (slice(side.start // VELOCITY_GRID, -(-side.stop // VELOCITY_GRID)) for side in box)
    return grid_points(size)[rows, columns]


def _mismatch(here: FlowFrame, there: FlowFrame, points: Field, moved: Field) -> Float[np.ndarray, "hb wb"]:
    """How far the frame there, moved, differs from this one around each point, in 8-bit units of what is known."""
    halves = 2 * points + 0.5
    difference = np.abs(remap(here.small, halves).astype(np.float32) - remap(there.small, halves + moved / 2))
    known = np.ones_like(difference)
    for seen, shift in ((here, np.zeros_like(moved)), (there, moved / VELOCITY_GRID)):
        if seen.known is not None:
            known = known * (remap(seen.known, points + shift) > 0.99)
    around = cv2.GaussianBlur(known, (0, 0), _BLUR)
    mean = cv2.GaussianBlur(difference * known, (0, 0), _BLUR) / np.maximum(around, 1e-6)
    return np.where(around > 1e-3, mean, np.float32(_UNTOLD))


def _in_plane(at: Places, scale: tuple[int, int]) -> Places:
    return (at + 0.5) / np.array(scale[::-1], np.float32) - 0.5


def _sample(plane: np.ndarray, at: Places, scale: tuple[int, int], pixels: PixelFormat, how: int):
    return _at(plane, _in_plane(at, scale), how).astype(np.float32) * unit(plane, pixels)


def _at(image: np.ndarray, at: Places, how: int = cv2.INTER_LINEAR) -> np.ndarray:
    """The image's values at n places, x and y in its own pixels."""
    rows = np.concatenate([at, np.zeros((-len(at) % _ROW, 2), np.float32)]).astype(np.float32).reshape(-1, _ROW, 2)
    values = cv2.remap(image, rows, None, how, borderMode=cv2.BORDER_REPLICATE)
    return values.reshape(-1, *image.shape[2:])[: len(at)]
