"""Bundle adjustment: the homographies of all cameras that explain the matches of all pairs at once."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from vdiff_jax.stitching.features import Matches, project

_SOFT = 1.0  # pixels past which a residual counts ever less
_FINEST = 0.05  # and the least that this comes down to where matches are exact
_SHORTEST, _LONGEST = 20.0, 1e6  # focal lengths, pixels: views without depth or perspective have none
_MOST = 4000  # matches that all pairs contribute
_STEP = 1e-6  # of a parameter, for derivatives
_STEPS, _STUCK = 50, 1e9  # the most steps of a descent, and the damping at which it is given up
_ENOUGH = 1e-7  # of the cost, the least that a step must gain: a focal length may go to infinity

Unpack = Callable[[np.ndarray], np.ndarray]
"""Parameters to homographies, n 3 3."""


class Loss(NamedTuple):
    """What outliers cost: of residuals squared, in units of where they begin to, the sum and each one's weight."""

    cost: Callable[[np.ndarray], float]
    weight: Callable[[np.ndarray], np.ndarray]


_SOFT_L1 = Loss(lambda square: float(2 * (np.sqrt(1 + square) - 1).sum()), lambda square: 1 / np.sqrt(1 + square))
_CAUCHY = Loss(lambda square: float(np.log1p(square).sum()), lambda square: 1 / (1 + square))


def chain(matches: list[Matches], reference: int, count: int) -> Float[np.ndarray, "n 3 3"]:
    """Homographies camera → reference, composed along the pairs with the most matches (maximum spanning tree)."""
    homographies = {reference: np.eye(3)}
    while len(homographies) < count:
        reachable = [pair for pair in matches if (pair.first in homographies) != (pair.second in homographies)]
        if not reachable:
            break
        pair = max(reachable, key=lambda pair: len(pair.points))
        if pair.second in homographies:
            homographies[pair.first] = homographies[pair.second] @ pair.homography
        else:
            homographies[pair.second] = homographies[pair.first] @ np.linalg.inv(pair.homography)
    return np.stack([homographies[index] / homographies[index][2, 2] for index in range(count)])


def adjust(
    homographies: Float[np.ndarray, "n 3 3"], matches: list[Matches], reference: int, size: float
) -> tuple[Float[np.ndarray, "n 3 3"], float]:
    """Refines homographies camera → reference so that every match falls together, and the residual in pixels.

    The error is measured in the cameras' own pixels, both ways: measured on the canvas, shrinking would lower it.

    Args:
      homographies: a first guess, of size 3 × 3 each, for pixels.
      matches: of all pairs.
      reference: the camera whose plane the canvas is; it stays the identity.
      size: the pictures' size in pixels, by which coordinates are divided.

    Source: Brown and Lowe, Automatic Panoramic Image Stitching using Invariant Features, 2007, section 4; Triggs et
    al., Bundle Adjustment - A Modern Synthesis, 2000.
    """
    scale = np.diag([size, size, 1.0])
    normal = np.linalg.inv(scale) @ homographies @ scale
    normal = normal / normal[:, 2:, 2:]
    others = [index for index in range(len(homographies)) if index != reference]

    def unpack(parameters: np.ndarray) -> np.ndarray:
        result = np.tile(np.eye(3), (len(homographies), 1, 1))
        result[others] = np.concatenate([parameters.reshape(-1, 8), np.ones((len(others), 1))], axis=1).reshape(
            -1, 3, 3
        )
        return scale @ result @ np.linalg.inv(scale)

    start = normal[others].reshape(-1, 9)[:, :8].ravel()
    solution, rms = _solve(lambda parameters: unpack(parameters), start, thin(matches))
    result = unpack(solution)
    return result / result[:, 2:, 2:], rms


def adjust_rotations(
    homographies: Float[np.ndarray, "n 3 3"],
    matches: list[Matches],
    reference: int,
    sizes: list[tuple[int, int]],
) -> tuple[Float[np.ndarray, "n 3 3"], Float[np.ndarray, " n"], float]:
    """The same for cameras that only turn about one point: a focal length and a rotation each.

    Three parameters and the focal length instead of eight: a thin overlap then decides about the far corners too.

    Args:
      sizes: each camera's (width, height).

    Returns:
      Homographies camera → reference, focal lengths in pixels, the residual in pixels.
    """
    count = len(sizes)
    thinned = thin(matches)
    focal = first_focal(homographies, reference, sizes, thinned)
    inner = np.stack([intrinsic(focal * max(size) / max(sizes[reference]), size) for size in sizes])
    turns = nearest_rotations(np.linalg.inv(inner[reference]) @ homographies @ inner)
    first = Rotation.from_matrix(turns).as_rotvec() * [focal, focal, 1.0]
    others = np.arange(count) != reference

    def unpack(parameters: np.ndarray) -> np.ndarray:
        focals = np.exp(np.clip(parameters[:count], np.log(_SHORTEST), np.log(_LONGEST)))
        rotations = np.zeros((count, 3))
        # What a yaw or pitch moves the picture by, not its angle, which would have to change with the focal length.
        rotations[others] = parameters[count:].reshape(-1, 3) / [focals[reference], focals[reference], 1.0]
        inner = np.stack([intrinsic(value, size) for value, size in zip(focals, sizes)])
        return inner[reference] @ Rotation.from_rotvec(rotations).as_matrix() @ np.linalg.inv(inner)

    start = np.concatenate([np.log(inner[:, 0, 0]), first[others].ravel()])
    solution, rms = _solve(unpack, start, thinned)
    result = unpack(solution)
    focals = np.exp(np.clip(solution[:count], np.log(_SHORTEST), np.log(_LONGEST)))
    return result / result[:, 2:, 2:], focals, rms


def first_focal(
    homographies: np.ndarray, reference: int, sizes: list[tuple[int, int]], matches: list[Matches]
) -> float:
    """The reference's focal length, among 24 from 0.35 to 6 picture widths, whose nearest rotations match best."""
    errors = {}
    for focal in max(sizes[reference]) * np.geomspace(0.35, 6, 24):
        inner = np.stack([intrinsic(focal * max(size) / max(sizes[reference]), size) for size in sizes])
        turns = nearest_rotations(np.linalg.inv(inner[reference]) @ homographies @ inner)
        turned = inner[reference] @ turns @ np.linalg.inv(inner)
        errors[float(focal)] = float(np.median(np.abs(residuals(turned, matches))))
    return min(errors, key=errors.__getitem__)


def intrinsic(focal: float, size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """A pinhole camera's matrix with the principal point in the middle of a (width, height) picture."""
    return np.array([[focal, 0.0, (size[0] - 1) / 2], [0.0, focal, (size[1] - 1) / 2], [0.0, 0.0, 1.0]])


def nearest_rotations(matrices: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3 3"]:
    """The rotation nearest to each matrix up to scale (orthogonal Procrustes)."""
    sign = np.sign(np.linalg.det(matrices))[:, None, None]
    left, _, right = np.linalg.svd(matrices * sign)
    return left @ right


def residuals(homographies: Float[np.ndarray, "n 3 3"], matches: list[Matches]) -> Float[np.ndarray, " m"]:
    """How far each match lies from its place, in pixels of either camera, x and y, both ways."""
    parts = []
    for pair in matches:
        across = np.linalg.solve(homographies[pair.second], homographies[pair.first])
        parts.append(project(across, pair.points) - pair.others)
        parts.append(project(np.linalg.inv(across), pair.others) - pair.points)
    return np.concatenate(parts).ravel() * 0.5**0.5


def thin(matches: list[Matches]) -> list[Matches]:
    """At most 4,000 matches over all pairs, evenly taken."""
    most = max(1, _MOST // max(1, len(matches)))
    result = []
    for pair in matches:
        step = -(-len(pair.points) // most)
        result.append(dataclasses.replace(pair, points=pair.points[::step], others=pair.others[::step]))
    return result


def _solve(unpack: Unpack, start: np.ndarray, matches: list[Matches]) -> tuple[np.ndarray, float]:
    def error(parameters: np.ndarray) -> np.ndarray:
        try:
            value = residuals(unpack(parameters), matches)
        except np.linalg.LinAlgError:  # a step too far, to be taken back
            return np.full(4 * sum(len(pair.points) for pair in matches), 1e6)
        return np.nan_to_num(value, nan=1e6, posinf=1e6, neginf=-1e6)

    if len(start) == 0:
        return start, 0.0
    # The first pass pulls in from afar, where the others would call everything an outlier; the last one is as strict as
    # most matches are good.
    found = start
    for loss, scale in ((_SOFT_L1, 5 * _SOFT), (_CAUCHY, _SOFT), (_CAUCHY, None)):
        strict = min(_SOFT, max(_FINEST, 2 * spread(error(found)))) if scale is None else scale
        found = _descend(error, lambda at: slopes(unpack, at, matches), found, loss, strict)
    return found, 2**0.5 * spread(error(found))


def _descend(
    error: Callable[[np.ndarray], np.ndarray],
    slope: Callable[[np.ndarray], np.ndarray],
    start: Float[np.ndarray, " k"],
    loss: Loss,
    scale: float,
) -> Float[np.ndarray, " k"]:
    """Least squares by Levenberg and Marquardt, outliers weighted down.

    There are thousands of residuals for each parameter: SciPy's solver, which decomposes all of the derivative, takes
    ten times as long as the normal equations.
    """
    found, damping = start, 1e-3
    left = error(found)
    cost = loss.cost((left / scale) ** 2)
    for _ in range(_STEPS):
        derivative, weight = slope(found), loss.weight((left / scale) ** 2)
        weighted = derivative * weight[:, None]
        normal, gradient = derivative.T @ weighted, weighted.T @ left
        before = cost
        while damping < _STUCK:
            damped = normal + np.diag(damping * np.diag(normal) + 1e-12 * np.trace(normal))
            tried = found - np.linalg.solve(damped, gradient)
            away = error(tried)
            if (reached := loss.cost((away / scale) ** 2)) < cost:
                found, left, cost = tried, away, reached
                damping = max(0.1 * damping, 1e-9)
                break
            damping *= 10
        if before - cost < _ENOUGH * before:
            break
    return found


def slopes(unpack: Unpack, parameters: Float[np.ndarray, " k"], matches: list[Matches]) -> Float[np.ndarray, "m k"]:
    """The derivative of `residuals` by the parameters: of the few matrices by steps, of the many points exactly."""
    homographies = unpack(parameters)
    inverses = np.linalg.inv(homographies)
    steps = _STEP * np.maximum(1.0, np.abs(parameters))
    moved = [(unpack(parameters + step) - unpack(parameters - step)) / (2 * size)
             for step, size in zip(np.diag(steps), steps)]  # fmt: skip
    change = np.stack(moved)
    parts = []
    for pair in matches:
        for points, one, other in ((pair.points, pair.first, pair.second), (pair.others, pair.second, pair.first)):
            across = inverses[other] @ homographies[one]
            # d(B⁻¹ A) = B⁻¹ (dA - dB B⁻¹ A)
            turned = inverses[other] @ (change[:, one] - change[:, other] @ across)
            parts.append(_slope(across, turned, points))
    return np.concatenate(parts).reshape(-1, len(parameters)) * 0.5**0.5


def _slope(
    across: Float[np.ndarray, "3 3"], change: Float[np.ndarray, "k 3 3"], points: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 2 k"]:
    """How points that a homography moves go on moving while it changes."""
    plane = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    x, y, depth = (plane @ across.T).T[..., None]
    away = np.zeros((len(points), 2, len(change)))
    touched = np.flatnonzero(np.abs(change).max(axis=(1, 2)) > 0)
    along = np.einsum("kij,nj->ink", change[touched], plane)
    away[:, 0, touched] = (along[0] - x / depth * along[2]) / depth
    away[:, 1, touched] = (along[1] - y / depth * along[2]) / depth
    return away


def spread(errors: Float[np.ndarray, " m"]) -> float:
    """The standard deviation of errors of which fewer than half are outliers (from the median of their sizes)."""
    return float(1.4826 * np.median(np.abs(errors)))
