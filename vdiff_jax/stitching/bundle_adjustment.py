"""Bundle adjustment: fits the homographies of all cameras to the matches of all pairs at once."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from vdiff_jax.stitching.features import Matches, project

_ROBUST_SCALE = 1.0  # pixels: residuals beyond this are weighted down
_FINEST_SCALE = 0.05  # the smallest such scale, used where matches are exact
_SHORTEST_FOCAL, _LONGEST_FOCAL = 20.0, 1e6  # pixels: views without perspective do not bound the focal length
_MOST_MATCHES = 4000  # over all pairs
_DIFFERENCE = 1e-6  # the relative step of numerical derivatives
_MOST_STEPS, _LARGEST_DAMPING = 50, 1e9  # a descent ends at either
_LEAST_GAIN = 1e-7  # a descent ends when a step lowers the cost by less than this share

Unpack = Callable[[np.ndarray], np.ndarray]
"""Turns parameters into homographies, n 3 3."""


class Loss(NamedTuple):
    """A robust loss of squared residuals in units of the scale: its sum, and the weight of each residual."""

    cost: Callable[[np.ndarray], float]
    weight: Callable[[np.ndarray], np.ndarray]


_SOFT_L1 = Loss(lambda square: float(2 * (np.sqrt(1 + square) - 1).sum()), lambda square: 1 / np.sqrt(1 + square))
_CAUCHY = Loss(lambda square: float(np.log1p(square).sum()), lambda square: 1 / (1 + square))


def chain_homographies(matches: list[Matches], reference: int, count: int) -> Float[np.ndarray, "n 3 3"]:
    """Returns homographies camera → reference, composed along the pairs with most matches (maximum spanning tree)."""
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


def adjust_homographies(
    homographies: Float[np.ndarray, "n 3 3"], matches: list[Matches], reference: int, size: float
) -> tuple[Float[np.ndarray, "n 3 3"], float]:
    """Refines homographies camera → reference so that matching points coincide.

    The error is measured in the cameras' own pixels, in both directions. An error on the canvas would become smaller if
    all pictures shrank.

    Args:
      homographies: a first guess.
      matches: the matches of all pairs.
      reference: the camera whose image plane is the canvas; its homography stays the identity.
      size: the pictures' size in pixels, by which coordinates are normalised.

    Returns:
      The homographies and the robust residual in pixels.

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
    solution, rms = _solve(unpack, start, subsample(matches))
    result = unpack(solution)
    return result / result[:, 2:, 2:], rms


def adjust_rotations(
    homographies: Float[np.ndarray, "n 3 3"],
    matches: list[Matches],
    reference: int,
    sizes: list[tuple[int, int]],
) -> tuple[Float[np.ndarray, "n 3 3"], Float[np.ndarray, " n"], float]:
    """Refines homographies likewise, for cameras that rotate about one point: each has a focal length and a rotation.

    These are four parameters for each camera instead of eight, so even a thin overlap determines the far corners.

    Args:
      homographies: a first guess, camera → reference.
      matches: the matches of all pairs.
      reference: the camera whose image plane is the canvas.
      sizes: each camera's (width, height).

    Returns:
      Homographies camera → reference, focal lengths in pixels, the robust residual in pixels.
    """
    count = len(sizes)
    few = subsample(matches)
    focal = _initial_focal(homographies, reference, sizes, few)
    inner = np.stack([camera_matrix(focal * max(size) / max(sizes[reference]), size) for size in sizes])
    turns = nearest_rotations(np.linalg.inv(inner[reference]) @ homographies @ inner)
    first = Rotation.from_matrix(turns).as_rotvec() * [focal, focal, 1.0]
    others = np.arange(count) != reference

    def unpack(parameters: np.ndarray) -> np.ndarray:
        focals = np.exp(np.clip(parameters[:count], np.log(_SHORTEST_FOCAL), np.log(_LONGEST_FOCAL)))
        rotations = np.zeros((count, 3))
        # Yaw and pitch are parametrised by the pixels they move the picture, which hardly depend on the focal length.
        rotations[others] = parameters[count:].reshape(-1, 3) / [focals[reference], focals[reference], 1.0]
        inner = np.stack([camera_matrix(value, size) for value, size in zip(focals, sizes)])
        return inner[reference] @ Rotation.from_rotvec(rotations).as_matrix() @ np.linalg.inv(inner)

    start = np.concatenate([np.log(inner[:, 0, 0]), first[others].ravel()])
    solution, rms = _solve(unpack, start, few)
    result = unpack(solution)
    focals = np.exp(np.clip(solution[:count], np.log(_SHORTEST_FOCAL), np.log(_LONGEST_FOCAL)))
    return result / result[:, 2:, 2:], focals, rms


def _initial_focal(
    homographies: np.ndarray, reference: int, sizes: list[tuple[int, int]], matches: list[Matches]
) -> float:
    """The reference's focal length, out of 24 from 0.35 to 6 picture widths, whose nearest rotations fit best."""
    errors = {}
    for focal in max(sizes[reference]) * np.geomspace(0.35, 6, 24):
        inner = np.stack([camera_matrix(focal * max(size) / max(sizes[reference]), size) for size in sizes])
        turns = nearest_rotations(np.linalg.inv(inner[reference]) @ homographies @ inner)
        turned = inner[reference] @ turns @ np.linalg.inv(inner)
        errors[float(focal)] = float(np.median(np.abs(residuals(turned, matches))))
    return min(errors, key=errors.__getitem__)


def camera_matrix(focal: float, size: tuple[int, int]) -> Float[np.ndarray, "3 3"]:
    """Returns a pinhole camera's intrinsic matrix, the principal point in the middle of a (width, height) picture."""
    return np.array([[focal, 0.0, (size[0] - 1) / 2], [0.0, focal, (size[1] - 1) / 2], [0.0, 0.0, 1.0]])


def nearest_rotations(matrices: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "n 3 3"]:
    """Returns the rotation nearest to each matrix, up to its scale (orthogonal Procrustes)."""
    sign = np.sign(np.linalg.det(matrices))[:, None, None]
    left, _, right = np.linalg.svd(matrices * sign)
    return left @ right


def residuals(homographies: Float[np.ndarray, "n 3 3"], matches: list[Matches]) -> Float[np.ndarray, " m"]:
    """Returns the distances of matching points, x and y, in both directions, in pixels of the camera they are in."""
    parts = []
    for pair in matches:
        across = np.linalg.solve(homographies[pair.second], homographies[pair.first])
        parts.append(project(across, pair.points) - pair.others)
        parts.append(project(np.linalg.inv(across), pair.others) - pair.points)
    return np.concatenate(parts).ravel() * 0.5**0.5


def subsample(matches: list[Matches]) -> list[Matches]:
    """Returns at most 4,000 matches over all pairs, evenly spaced in their lists."""
    most = max(1, _MOST_MATCHES // max(1, len(matches)))
    result = []
    for pair in matches:
        step = -(-len(pair.points) // most)
        result.append(dataclasses.replace(pair, points=pair.points[::step], others=pair.others[::step]))
    return result


def _solve(unpack: Unpack, start: np.ndarray, matches: list[Matches]) -> tuple[np.ndarray, float]:
    """The parameters that minimise the robust residuals, and their robust length in pixels."""

    def error(parameters: np.ndarray) -> np.ndarray:
        try:
            value = residuals(unpack(parameters), matches)
        except np.linalg.LinAlgError:  # the step was too long; the high cost makes the descent take it back
            return np.full(4 * sum(len(pair.points) for pair in matches), 1e6)
        return np.nan_to_num(value, nan=1e6, posinf=1e6, neginf=-1e6)

    if len(start) == 0:
        return start, 0.0
    # The first pass converges from far away, where a strict loss would treat all matches as outliers. The last pass
    # takes its scale from the residuals themselves.
    parameters = start
    for loss, scale in ((_SOFT_L1, 5 * _ROBUST_SCALE), (_CAUCHY, _ROBUST_SCALE), (_CAUCHY, None)):
        if scale is None:
            scale = min(_ROBUST_SCALE, max(_FINEST_SCALE, 2 * robust_deviation(error(parameters))))
        parameters = _levenberg_marquardt(error, lambda at: jacobian(unpack, at, matches), parameters, loss, scale)
    return parameters, 2**0.5 * robust_deviation(error(parameters))


def _levenberg_marquardt(
    error: Callable[[np.ndarray], np.ndarray],
    slope: Callable[[np.ndarray], np.ndarray],
    start: Float[np.ndarray, " k"],
    loss: Loss,
    scale: float,
) -> Float[np.ndarray, " k"]:
    """Minimises a robust least-squares error by Levenberg-Marquardt with iteratively reweighted residuals.

    There are thousands of residuals for each parameter. SciPy's solver, which decomposes the whole Jacobian, takes ten
    times as long as the normal equations.
    """
    parameters, damping = start, 1e-3
    residual = error(parameters)
    cost = loss.cost((residual / scale) ** 2)
    for _ in range(_MOST_STEPS):
        derivative, weight = slope(parameters), loss.weight((residual / scale) ** 2)
        weighted = derivative * weight[:, None]
        normal, gradient = derivative.T @ weighted, weighted.T @ residual
        before = cost
        while damping < _LARGEST_DAMPING:
            damped = normal + np.diag(damping * np.diag(normal) + 1e-12 * np.trace(normal))
            tried = parameters - np.linalg.solve(damped, gradient)
            tried_residual = error(tried)
            if (reached := loss.cost((tried_residual / scale) ** 2)) < cost:
                parameters, residual, cost = tried, tried_residual, reached
                damping = max(0.1 * damping, 1e-9)
                break
            damping *= 10
        # A focal length may go to infinity, gaining less and less.
        if before - cost < _LEAST_GAIN * before:
            break
    return parameters


def jacobian(unpack: Unpack, parameters: Float[np.ndarray, " k"], matches: list[Matches]) -> Float[np.ndarray, "m k"]:
    """Returns the derivative of `residuals` by the parameters.

    The derivatives of the few matrices are numerical; those of the many points follow exactly from them.
    """
    homographies = unpack(parameters)
    inverses = np.linalg.inv(homographies)
    steps = _DIFFERENCE * np.maximum(1.0, np.abs(parameters))
    moved = [(unpack(parameters + step) - unpack(parameters - step)) / (2 * size)
             for step, size in zip(np.diag(steps), steps)]  # fmt: skip
    change = np.stack(moved)
    parts = []
    for pair in matches:
        for points, one, other in ((pair.points, pair.first, pair.second), (pair.others, pair.second, pair.first)):
            across = inverses[other] @ homographies[one]
            # d(B⁻¹ A) = B⁻¹ (dA - dB B⁻¹ A)
            turned = inverses[other] @ (change[:, one] - change[:, other] @ across)
            parts.append(_point_jacobian(across, turned, points))
    return np.concatenate(parts).reshape(-1, len(parameters)) * 0.5**0.5


def _point_jacobian(
    across: Float[np.ndarray, "3 3"], change: Float[np.ndarray, "k 3 3"], points: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 2 k"]:
    """The derivatives of points under a homography `across`, given its derivatives `change`."""
    plane = np.concatenate([points, np.ones((len(points), 1))], axis=1)
    x, y, depth = (plane @ across.T).T[..., None]
    away = np.zeros((len(points), 2, len(change)))
    touched = np.flatnonzero(np.abs(change).max(axis=(1, 2)) > 0)
    along = np.einsum("kij,nj->ink", change[touched], plane)
    away[:, 0, touched] = (along[0] - x / depth * along[2]) / depth
    away[:, 1, touched] = (along[1] - y / depth * along[2]) / depth
    return away


def robust_deviation(errors: Float[np.ndarray, " m"]) -> float:
    """Returns the standard deviation of errors with less than half outliers, from the median absolute error."""
    return float(1.4826 * np.median(np.abs(errors)))
