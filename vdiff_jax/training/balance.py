"""Balanced sampling: measures the kind of each shot, and weights shots so that rare kinds are drawn more often."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

from vdiff_jax.stream.dis import FAST, make_dis

_PAIRS = 8
"""The number of pairs of frames in which a shot's motion is measured."""
_SIDE = 128
"""The longer side of the reduced frames on which motion is measured, in pixels."""


class Kind(NamedTuple):
    """A named range of a property, from the limit of the kind before it up to `limit`."""

    name: str
    limit: float


KINDS = {
    # The mean length of the motion vectors, pixels a frame.
    "motion": (Kind("still", 0.5), Kind("slow", 2), Kind("medium", 6), Kind("fast", math.inf)),
    # The mean of R', G' and B', 0 to 1.
    "brightness": (Kind("dark", 0.2), Kind("dim", 0.4), Kind("middle", 0.6), Kind("bright", math.inf)),
    # The mean difference of neighbouring pixels, in 8-bit units.
    "texture": (Kind("smooth", 3), Kind("plain", 6), Kind("rich", 12), Kind("dense", math.inf)),
    # Frames.
    "length": (Kind("brief", 12), Kind("short", 48), Kind("medium", 192), Kind("long", math.inf)),
}


def measure(shot: UInt8[np.ndarray, "t h w 3"]) -> dict[str, float]:
    """A shot's properties, in the units given in `KINDS`."""
    sample = shot[np.linspace(0, len(shot) - 1, min(len(shot), 4)).astype(int)].astype(np.float32)
    differences = [np.abs(np.diff(sample, axis=axis)).mean() for axis in (1, 2) if sample.shape[axis] > 1]
    return {
        "motion": _motion(shot),
        "brightness": float(sample.mean() / 255),
        "texture": float(np.mean(differences or [0])),
        "length": float(len(shot)),
    }


def kinds(shots: list[dict[str, float]], name: str) -> Int[np.ndarray, " n"]:
    """Each shot's kind of a property, as an index into `KINDS[name]`."""
    limits = [kind.limit for kind in KINDS[name][:-1]]
    return np.searchsorted(limits, [shot[name] for shot in shots], side="right")


def weights(shots: list[dict[str, float]], strengths: dict[str, float]) -> Float[np.ndarray, " n"]:
    """The probability of each shot; the sum is 1.

    A kind of n shots gets a share in proportion to n^(1 - strength). Strength 0 draws all shots equally often; strength
    1 draws all kinds of that property equally often. The shares of several properties are fitted in turn until all of
    them hold.

    Args:
      shots: each shot's properties, as `measure` gives them.
      strengths: for each property, 0 to 1; properties left out count as 0.

    Source: Deming and Stephan, "On a least squares adjustment of a sampled frequency table when the expected marginal
    totals are known", 1940 (iterative proportional fitting).
    """
    result = np.full(len(shots), 1 / max(1, len(shots)))
    kinds_of = {name: kinds(shots, name) for name, strength in strengths.items() if strength > 0}
    for _ in range(100 if shots else 0):
        for name, kind in kinds_of.items():
            count = np.bincount(kind, minlength=len(KINDS[name]))
            target = np.where(count > 0, np.maximum(count, 1) ** (1 - strengths[name]), 0)
            share = np.bincount(kind, result, minlength=len(count))
            result = result * (target / target.sum() / np.where(share > 0, share, 1))[kind]
    return result


def shares(shots: list[dict[str, float]], weight: Float[np.ndarray, " n"]) -> dict[str, dict[str, float]]:
    """For each property, the share of each kind that occurs, with shots weighted by `weight`."""
    table = {}
    for name, names in KINDS.items():
        kind = kinds(shots, name)
        share = np.bincount(kind, weight, minlength=len(names)) / max(weight.sum(), 1e-12)
        table[name] = {names[k].name: float(share[k]) for k in sorted(set(kind.tolist()))}
    return table


def _motion(shot: UInt8[np.ndarray, "t h w 3"]) -> float:
    """The mean length of the optical flow's vectors, in pixels of the shot."""
    if len(shot) < 2:
        return 0.0
    reduction = max(1.0, max(shot.shape[1:3]) / _SIDE)
    size = tuple(max(16, round(side / reduction)) for side in shot.shape[2:0:-1])
    flow = make_dis(FAST)
    lengths = []
    for index in np.unique(np.linspace(0, len(shot) - 2, min(len(shot) - 1, _PAIRS)).astype(int)):
        pair = [cv2.resize(frame[..., 1], size, interpolation=cv2.INTER_AREA) for frame in shot[index : index + 2]]
        lengths.append(np.linalg.norm(flow.calc(*pair, None), axis=-1).mean())
    return float(reduction * np.mean(lengths))
