"""Estimates the cameras' geometry from frames: match features, adjust, refine by comparing the pictures."""

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from vdiff_jax.errors import OverlapError, StitchError
from vdiff_jax.stitching import bundle_adjustment
from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.features import Features, Matches, corners, detect, match, match_pair, project
from vdiff_jax.stitching.refinement import refine_matches, static_background

_ROUNDS = 2  # a second refinement starts from a geometry in which the pictures agree better

Views = Sequence[Sequence[UInt8[np.ndarray, "_h _w 3"]]]
"""RGB frames, `views[camera][moment]`, each moment's taken at the same time."""


def estimate_cameras(
    views: Views,
    names: Sequence[str],
    features: Sequence[Sequence[Features]] | None = None,
) -> Calibration:
    """Estimates the geometry of a rig; offsets and gains stay 0 and 1.

    Args:
      views: frames of each camera; cameras on stands need not be at the same moments.
      names: each input's name in error messages.
      features: the frames' features, if they have been detected already.

    Raises:
      StitchError: an input is black, or two inputs show the same view.
      OverlapError: an input overlaps none of the others.
    """
    sizes = tuple((view[0].shape[1], view[0].shape[0]) for view in views)
    check_visible(views, names)
    features = detect_all(views) if features is None else features
    matches = match_all(features)
    if not all_connected(matches, len(views)):
        matches = match_again(matches, views)
    check_connected(features, matches, names)
    check_different(views, matches, names)
    return refine_geometry(fit_geometry(matches, sizes), matches, views)


def refine_geometry(calibration: Calibration, matches: list[Matches], views: Views) -> Calibration:
    """Fits the geometry again to matches that are refined by comparing the pictures.

    Cameras on stands are compared by their backgrounds, others frame by frame. If the refined pairs no longer connect
    all cameras, the calibration is returned unchanged.

    Args:
      calibration: the geometry so far, right to a few pixels.
      matches: the pairs to compare; they may have no points yet.
      views: frames of each camera.
    """
    backgrounds = [static_background(view) for view in views]
    for _ in range(_ROUNDS):
        homographies = calibration.homographies[0]
        refined = []
        for pair in matches:
            one, other = pair.first, pair.second
            moments = list(zip(views[one], views[other]))
            if backgrounds[one] is not None and backgrounds[other] is not None:
                moments = [(backgrounds[one], backgrounds[other])]
            refined.append(refine_matches(pair, np.linalg.solve(homographies[other], homographies[one]), moments))
        refined = [pair for pair in refined if len(pair.points)]
        if not all_connected(refined, len(views)):
            return calibration
        calibration = fit_geometry(refined, calibration.sizes)
    return calibration


def detect_all(views: Views) -> list[list[Features]]:
    """Returns the features of every frame."""
    return [[detect(frame) for frame in view] for view in views]


def match_all(features: Sequence[Sequence[Features]]) -> list[Matches]:
    """Returns the matches of every pair of cameras that has enough of them."""
    pairs = list(itertools.combinations(range(len(features)), 2))
    found = [match_pair(pair, list(zip(features[pair[0]], features[pair[1]]))) for pair in pairs]
    return [pair for pair in found if pair is not None]


def match_again(matches: list[Matches], views: Views) -> list[Matches]:
    """Adds matches of pairs that had too few, from weak features of pictures with less noise.

    Frames of cameras on stands are averaged over time; each frame of other cameras is smoothed.
    """
    backgrounds = [static_background(view) for view in views]
    clean = [
        [detect(background, sensitive=True)]
        if background is not None
        else [detect(cv2.GaussianBlur(frame, (0, 0), 1.0), sensitive=True) for frame in view]
        for view, background in zip(views, backgrounds)
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


def fit_geometry(matches: list[Matches], sizes: tuple[tuple[int, int], ...]) -> Calibration:
    """Fits the rig's geometry to the matches of all pairs: rotations if they fit as well as free homographies.

    Args:
      matches: pairs that connect all cameras.
      sizes: each camera's (width, height).
    """
    reference = central_camera(matches, len(sizes))
    chained = bundle_adjustment.chain_homographies(matches, reference, len(sizes))
    size = float(max(sizes[reference]))
    free, rms = bundle_adjustment.adjust_homographies(chained, matches, reference, size)
    turned, focals, turned_rms = bundle_adjustment.adjust_rotations(free, matches, reference, list(sizes))
    turning = turned_rms < 1.03 * rms + 0.003 and 0.3 * size < focals[reference] < 12 * size
    homographies = turned if turning else free
    pairs = tuple(
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
        gains=np.ones((len(sizes), 3)), rms=turned_rms if turning else rms, pairs=pairs,
    )  # fmt: skip


def central_camera(matches: list[Matches], count: int) -> int:
    """Returns the camera from which the farthest other one is the fewest pairs away; if equal, with most matches."""
    distance = np.where(np.eye(count) > 0, 0.0, np.inf)
    weight = np.zeros(count)
    for pair in matches:
        distance[pair.first, pair.second] = distance[pair.second, pair.first] = 1.0
        weight[[pair.first, pair.second]] += len(pair.points)
    for middle in range(count):
        distance = np.minimum(distance, distance[:, middle, None] + distance[None, middle])
    return min(range(count), key=lambda index: (distance[index].max(), -weight[index] if count > 2 else index))


def overlap(homographies: np.ndarray, first: int, second: int, sizes: Sequence[tuple[int, int]]) -> float:
    """Returns the larger share of either picture that the other one covers, 0 to 1."""
    width, height = sizes[first]
    across = np.linalg.solve(homographies[first], homographies[second])
    seen = cv2.warpPerspective(np.ones(sizes[second][::-1], np.uint8), across, (width, height), flags=cv2.INTER_NEAREST)
    back = np.linalg.inv(across)
    own = cv2.warpPerspective(np.ones((height, width), np.uint8), back, sizes[second], flags=cv2.INTER_NEAREST)
    return float(max(seen.mean(), own.mean()))


def check_visible(views: Views, names: Sequence[str]) -> None:
    """Raises StitchError if all frames of an input are black."""
    for view, name in zip(views, names):
        if max(float(np.percentile(frame, 99)) for frame in view) < 24:
            raise StitchError(f"{name} is black: leave it out, or check the camera")


def check_connected(features: Sequence[Sequence[Features]], matches: list[Matches], names: Sequence[str]) -> None:
    """Raises OverlapError for the first input that no chain of pairs connects to input 1, with the reason."""
    connected = _connected_to_first(matches)
    for index in range(len(features)):
        if index in connected:
            continue
        counts = {camera: np.mean([len(frame.points) for frame in features[camera]]) for camera in (index, 0)}
        poorest = min(counts, key=counts.__getitem__)
        if counts[poorest] < 30:
            raise OverlapError(
                f"{names[poorest]} has too little detail ({counts[poorest]:.0f} features a frame): "
                "30 are needed; check focus and light"
            )
        matched = {other: len(match(features[other][0], features[index][0])[0]) for other in connected}
        best = max(matched, key=matched.__getitem__)
        raise OverlapError(
            f"{names[best]} and {names[index]} do not overlap enough: {matched[best]} matches a frame, and no "
            "homography fits them; let the views share 20 % or more, with little parallax"
        )


def all_connected(matches: list[Matches], count: int) -> bool:
    """Whether chains of pairs connect all cameras."""
    return len(_connected_to_first(matches)) == count


def _connected_to_first(matches: list[Matches]) -> set[int]:
    connected = {0}
    for _ in matches:
        for pair in matches:
            if connected & {pair.first, pair.second}:
                connected |= {pair.first, pair.second}
    return connected


def check_different(views: Sequence, matches: list[Matches], names: Sequence[str]) -> None:
    """Raises StitchError if two inputs show the same view."""
    for pair in matches:
        first, second = views[pair.first][0], views[pair.second][0]
        if first.shape != second.shape:
            continue
        frame = corners(first.shape[1], first.shape[0])
        moved = np.abs(project(pair.homography, frame) - frame).max()
        if moved < 0.01 * max(first.shape):
            raise StitchError(
                f"{names[pair.first]} and {names[pair.second]} show the same view (their corners differ by {moved:.1f} "
                "pixels): leave one of them out"
            )
