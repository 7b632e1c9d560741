"""Bundle adjustment: the homographies of all cameras that explain the matches of all pairs at once."""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from vdiff_jax.stitch.features import Matches, project

_SOFT = 1.0  # pixels past which a residual counts ever less
_FINEST = 0.05  # and the least that this comes down to where matches are exact
_SHORTEST, _LONGEST = 20.0, 1e6  # focal lengths, pixels: views without depth or perspective have none
_MOST = 4000  # matches that all pairs contribute


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
    first = Rotation.from_matrix(turns).as_rotvec()

    def unpack(parameters: np.ndarray) -> np.ndarray:
        focals = np.exp(np.clip(parameters[:count], np.log(_SHORTEST), np.log(_LONGEST)))
        rotations = np.zeros((count, 3))
        rotations[np.arange(count) != reference] = parameters[count:].reshape(-1, 3)
        inner = np.stack([intrinsic(value, size) for value, size in zip(focals, sizes)])
        return inner[reference] @ Rotation.from_rotvec(rotations).as_matrix() @ np.linalg.inv(inner)

    start = np.concatenate([np.log(inner[:, 0, 0]), np.delete(first, reference, axis=0).ravel()])
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


def _solve(unpack, start: np.ndarray, matches: list[Matches]) -> tuple[np.ndarray, float]:
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
    for loss, scale in (("soft_l1", 5 * _SOFT), ("cauchy", _SOFT), ("cauchy", None)):
        strict = min(_SOFT, max(_FINEST, 2 * spread(error(found)))) if scale is None else scale
        found = least_squares(error, found, loss=loss, f_scale=strict, x_scale="jac", max_nfev=50).x
    return found, 2**0.5 * spread(error(found))


def spread(errors: Float[np.ndarray, " m"]) -> float:
    """The standard deviation of errors of which fewer than half are outliers (from the median of their sizes)."""
    return float(1.4826 * np.median(np.abs(errors)))
