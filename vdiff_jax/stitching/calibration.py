"""How the cameras of a rig stand to each other: found once from many frames, kept in a JSON file."""

import dataclasses
import itertools
import json
import pathlib
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vdiff_jax.errors import OverlapError, StitchError
from vdiff_jax.stitching import bundle_adjustment
from vdiff_jax.stitching.features import Features, Matches, corners, detect, match, match_pair, project
from vdiff_jax.stitching.refinement import background, refine

_VERSION = 1
_ROUNDS = 2  # the first one leaves what a wrong geometry made look different


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration:
    """A rig of n cameras, at one moment or at k moments when the cameras move against each other.

    Attributes:
      sizes: each camera's (width, height) in pixels.
      reference: the camera whose image plane the others are mapped to.
      homographies: k n 3 3, pixels of each camera → pixels of the reference's plane (pixel centres at integers).
      times: k, seconds on the first input's clock; one moment for a rig that keeps its shape.
      focal: the reference's focal length in pixels.
      turning: whether the cameras were found to turn about one point (they then have a focal length and a rotation).
      offsets: n, seconds on the first input's clock at which each input starts.
      gains: n 3, by which each camera's R, G, B is multiplied to match; the first input's is 1.
      rms: what is left of the matches' distance, in pixels.
      pairs: what was found for each pair: `inputs` (counted from 0), `matches`, `candidates`, `overlap`.
      shake: of a rig that is carried, how much the picture's velocity changed from frame to frame before it was
        steadied, and how much it does now, in pixels; None for others.
    """

    sizes: tuple[tuple[int, int], ...]
    reference: int
    homographies: Float[np.ndarray, "k n 3 3"]
    times: Float[np.ndarray, " k"]
    focal: float
    turning: bool
    offsets: Float[np.ndarray, " n"]
    gains: Float[np.ndarray, "n 3"]
    rms: float
    pairs: tuple[dict, ...]
    shake: tuple[float, float] | None = None

    def at(self, time: float) -> Float[np.ndarray, "n 3 3"]:
        """The homographies at a time in seconds on the first input's clock, on straight lines between key moments.

        The last line goes on for as long as it is; then they stay.
        """
        position = float(np.interp(time, self.times, np.arange(len(self.times))))
        if len(self.times) > 1:
            last = self.times[-1] - self.times[-2]
            position += float(np.clip((time - self.times[-1]) / last, 0, 1))
        low = min(int(position), max(0, len(self.times) - 2))
        high = min(low + 1, len(self.times) - 1)
        share = position - low
        return self.homographies[low] * (1 - share) + self.homographies[high] * share

    def save(self, path: str | pathlib.Path) -> None:
        """Writes the calibration as JSON."""
        fields = dataclasses.asdict(self)
        values = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in fields.items()}
        pathlib.Path(path).write_text(json.dumps({"version": _VERSION, **values}, indent=1) + "\n")


def load(path: str | pathlib.Path) -> Calibration:
    """Reads what `Calibration.save` wrote.

    Raises:
      StitchError: no such file, or not a calibration of this version.
    """
    try:
        fields = json.loads(pathlib.Path(path).read_text())
        if fields.pop("version") != _VERSION:
            raise StitchError(f"calibration {path} is of another version: calibrate again (leave --calibration away)")
        arrays = {name: np.asarray(fields.pop(name), float) for name in ("homographies", "times", "offsets", "gains")}
        sizes = tuple((int(width), int(height)) for width, height in fields.pop("sizes"))
        pairs = tuple(fields.pop("pairs"))
        calibration = Calibration(**fields, **arrays, sizes=sizes, pairs=pairs)
    except FileNotFoundError as error:
        raise StitchError(f"calibration {path}: no such file") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StitchError(f"calibration {path} is not one that stitch wrote: {error}") from error
    count = len(calibration.sizes)
    if calibration.homographies.shape[1:] != (count, 3, 3) or calibration.gains.shape != (count, 3):
        raise StitchError(f"calibration {path} is damaged: its arrays don't fit its {count} cameras")
    return calibration


def check_fits(calibration: Calibration, sizes: Sequence[tuple[int, int]]) -> None:
    """Raises StitchError unless the calibration is for cameras of these (width, height)."""
    if tuple(sizes) != calibration.sizes:
        raise StitchError(
            f"the calibration is for cameras of {list(calibration.sizes)}, the inputs are {list(sizes)}: "
            "pass the inputs in the same order, or calibrate again"
        )


def calibrate(
    views: Sequence[Sequence[UInt8[np.ndarray, "_h _w 3"]]],
    names: Sequence[str],
    features: Sequence[Sequence[Features]] | None = None,
) -> Calibration:
    """Finds the rig from frames of each camera, the k-th of each taken at the same moment.

    Args:
      views: RGB frames, `views[camera][moment]`; with still cameras the moments need not agree.
      names: what to call each input in an error.
      features: of these frames, if they are known.

    Raises:
      StitchError: an input is black, two inputs are the same, or an input overlaps none of the others.
    """
    sizes = tuple((view[0].shape[1], view[0].shape[0]) for view in views)
    check_visible(views, names)
    features = detect_all(views) if features is None else features
    matches = all_pairs(features)
    if not connected(matches, len(views)):
        matches = look_again(matches, views)
    check_connected(features, matches, names)
    check_different(views, matches, names)
    return refined(from_matches(matches, sizes), matches, views)


def refined(
    calibration: Calibration, matches: list[Matches], views: Sequence[Sequence[UInt8[np.ndarray, "_h _w 3"]]]
) -> Calibration:
    """The rig once more, by what the pictures say of the matches: of still cameras, what they always see.

    Where they say too little of pairs without matches to join all cameras, the calibration is returned as it is.
    """
    still = [background(view) for view in views]
    for _ in range(_ROUNDS):
        homographies = calibration.homographies[0]
        exact = []
        for pair in matches:
            one, other = pair.first, pair.second
            moments = list(zip(views[one], views[other]))
            if still[one] is not None and still[other] is not None:
                moments = [(still[one], still[other])]
            exact.append(refine(pair, np.linalg.solve(homographies[other], homographies[one]), moments))
        exact = [pair for pair in exact if len(pair.points)]
        if not connected(exact, len(views)):
            return calibration
        calibration = from_matches(exact, calibration.sizes)
    return calibration


def detect_all(views: Sequence[Sequence[UInt8[np.ndarray, "_h _w 3"]]]) -> list[list[Features]]:
    """The features of every frame."""
    return [[detect(frame) for frame in view] for view in views]


def all_pairs(features: Sequence[Sequence[Features]]) -> list[Matches]:
    """The matches of every pair of cameras that has enough."""
    count = len(features)
    pairs = [(first, second) for first in range(count) for second in range(first + 1, count)]
    found = [match_pair(pair, list(zip(features[pair[0]], features[pair[1]]))) for pair in pairs]
    return [pair for pair in found if pair is not None]


def look_again(matches: list[Matches], views: Sequence[Sequence[UInt8[np.ndarray, "_h _w 3"]]]) -> list[Matches]:
    """The same and those of pairs that showed nothing: less noisy pictures, in which weak features count too.

    Cameras on stands are averaged over time; of moving ones each frame is smoothed.
    """
    still = [background(view) for view in views]
    clean = [
        [detect(average, eager=True)]
        if average is not None
        else [detect(_smoothed(frame), eager=True) for frame in view]
        for view, average in zip(views, still)
    ]
    known = {(pair.first, pair.second) for pair in matches}
    result = list(matches)
    for first, second in itertools.combinations(range(len(views)), 2):
        if (first, second) in known:
            continue
        moments = max(len(clean[first]), len(clean[second]))
        pairs = [(clean[first][k % len(clean[first])], clean[second][k % len(clean[second])]) for k in range(moments)]
        found = match_pair((first, second), pairs)
        if found is not None:
            result.append(found)
    return result


def _smoothed(frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    return cv2.GaussianBlur(frame, (0, 0), 1.0)


def from_matches(matches: list[Matches], sizes: tuple[tuple[int, int], ...]) -> Calibration:
    """The rig that explains the matches of all pairs: rotations where they do as well as free homographies."""
    reference = central(matches, len(sizes))
    chained = bundle_adjustment.chain(matches, reference, len(sizes))
    size = float(max(sizes[reference]))
    free, rms = bundle_adjustment.adjust(chained, matches, reference, size)
    turned, focals, turned_rms = bundle_adjustment.adjust_rotations(free, matches, reference, list(sizes))
    turning = turned_rms < 1.03 * rms + 0.003 and 0.3 * size < focals[reference] < 12 * size
    homographies = turned if turning else free
    found = tuple(
        {
            "inputs": [pair.first, pair.second],
            "matches": len(pair.points),
            "candidates": pair.candidates,
            "overlap": overlap(homographies, pair.first, pair.second, sizes),
        }
        for pair in matches
    )
    return Calibration(
        sizes=sizes, reference=reference, homographies=homographies[None], times=np.zeros(1),
        focal=float(focals[reference]), turning=bool(turning), offsets=np.zeros(len(sizes)),
        gains=np.ones((len(sizes), 3)), rms=turned_rms if turning else rms, pairs=found,
    )  # fmt: skip


def central(matches: list[Matches], count: int) -> int:
    """The camera from which the farthest other is the fewest pairs away; of equals, the one with the most matches."""
    distance = np.where(np.eye(count) > 0, 0.0, np.inf)
    weight = np.zeros(count)
    for pair in matches:
        distance[pair.first, pair.second] = distance[pair.second, pair.first] = 1.0
        weight[[pair.first, pair.second]] += len(pair.points)
    for middle in range(count):
        distance = np.minimum(distance, distance[:, middle, None] + distance[None, middle])
    return min(range(count), key=lambda index: (distance[index].max(), -weight[index] if count > 2 else index))


def overlap(homographies: np.ndarray, first: int, second: int, sizes: Sequence[tuple[int, int]]) -> float:
    """The share of the smaller of two pictures that the other one covers, 0 to 1, measured in `first`'s pixels."""
    width, height = sizes[first]
    across = np.linalg.solve(homographies[first], homographies[second])
    seen = cv2.warpPerspective(np.ones(sizes[second][::-1], np.uint8), across, (width, height), flags=cv2.INTER_NEAREST)
    back = np.linalg.inv(across)
    own = cv2.warpPerspective(np.ones((height, width), np.uint8), back, sizes[second], flags=cv2.INTER_NEAREST)
    return float(max(seen.mean(), own.mean()))


def check_visible(views: Sequence[Sequence[UInt8[np.ndarray, "_h _w 3"]]], names: Sequence[str]) -> None:
    """Raises StitchError for an input whose frames are all black."""
    for view, name in zip(views, names):
        if max(float(np.percentile(frame, 99)) for frame in view) < 24:
            raise StitchError(f"{name} is black: leave it out, or check the camera")


def check_connected(features: Sequence[Sequence[Features]], matches: list[Matches], names: Sequence[str]) -> None:
    """Raises OverlapError naming the first input that no chain of pairs joins to the first one, and why."""
    joined = _joined(matches)
    for index in range(len(features)):
        if index in joined:
            continue
        fewest = min(np.mean([len(frame.points) for frame in view]) for view in (features[index], features[0]))
        if fewest < 30:
            poor = min((index, 0), key=lambda camera: np.mean([len(frame.points) for frame in features[camera]]))
            reason = f"{names[poor]} has too little detail ({fewest:.0f} features a frame; 30 are needed)"
        else:
            counts = {other: len(match(features[other][0], features[index][0])[0]) for other in joined}
            best = max(counts, key=counts.__getitem__)
            reason = (
                f"{names[best]} and {names[index]} don't overlap enough: {counts[best]} matches a frame and no "
                "homography explains them; 20 % of common view and little parallax are needed"
            )
        raise OverlapError(reason)


def connected(matches: list[Matches], count: int) -> bool:
    """Whether chains of pairs join all of the cameras."""
    return len(_joined(matches)) == count


def _joined(matches: list[Matches]) -> set[int]:
    """The inputs that a chain of pairs joins to the first one."""
    joined = {0}
    for _ in matches:
        for pair in matches:
            if joined & {pair.first, pair.second}:
                joined |= {pair.first, pair.second}
    return joined


def check_different(views: Sequence, matches: list[Matches], names: Sequence[str]) -> None:
    """Raises StitchError for a pair of inputs with the very same view."""
    for pair in matches:
        first, second = views[pair.first][0], views[pair.second][0]
        if first.shape != second.shape:
            continue
        frame = corners(first.shape[1], first.shape[0])
        moved = np.abs(project(pair.homography, frame) - frame).max()
        if moved < 0.01 * max(first.shape):
            raise StitchError(
                f"{names[pair.first]} and {names[pair.second]} show the same view (it moves by {moved:.1f} pixels): "
                "leave one of them out"
            )
