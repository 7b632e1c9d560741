"""Calibrates a rig from its recordings: the offset in time, the geometry and the gains of each camera."""

import contextlib
import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import OverlapError, StitchError
from vdiff_jax.postprocess import exposure
from vdiff_jax.stitching import moving_rig
from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.camera_estimation import detect_all, estimate_cameras, refine_geometry
from vdiff_jax.stitching.features import Features, corners, project, without_matches
from vdiff_jax.stitching.offsets import offsets_from_features, offsets_from_overlap
from vdiff_jax.stitching.reduced_canvas import reduced_canvases
from vdiff_jax.stitching.refinement import static_background
from vdiff_jax.stitching.source import RGB, NearestFrames, Source, common_start, duration, is_bright
from vdiff_jax.stitching.stabilise import stabilise

_MOMENTS = 6  # frames of each camera that are matched
_SPAN = 20.0  # seconds: the time from which these frames are taken
_CELLS = 6000  # of the reduced canvas
_ROUNDS = 3  # of synchronisation
_CONVERGED = 0.5  # pixels: synchronisation ends when the geometry changes by less
_SEARCHES = ((4.0, 0.1), (1.5, 0.0))  # seconds that are searched for common features, and those between two moments


def calibrate_rig(
    sources: Sequence[Source], *, stabilised: bool = False
) -> tuple[Calibration, Float[np.ndarray, " k"], list[list[RGB]]]:
    """Finds the offsets, the geometry and the gains of a rig.

    Args:
      sources: the cameras.
      stabilised: remove the shake of a rig that is carried as a whole, which then has a geometry for each frame. The
        shake of cameras that move relative to each other is always removed.

    Returns:
      The calibration, some moments in seconds on the first input's clock, and each camera's frames at these moments.

    Raises:
      StitchError: the inputs do not make a panorama; the message names the pair and the reason.
    """
    first = _first_estimate(sources)
    estimate = _synchronise(sources, first)
    if moving_rig.rig_moves(estimate.calibration, estimate.features):
        # Synchronisation mistakes a camera's pan for motion in the scene. It is repeated with the pan removed.
        estimate = _synchronise(sources, first.with_calibration(moving_rig.track_rig(sources, first.calibration)))
        if len(estimate.calibration.times) == 1:
            estimate = estimate.with_calibration(moving_rig.track_rig(sources, estimate.calibration))
    calibration = _with_gains(estimate.calibration, estimate.times, estimate.views)
    moving = len(calibration.times) > 1
    if (moving or stabilised) and static_background(estimate.views[calibration.reference]) is None:
        calibration = stabilise(sources, calibration)
    return calibration, estimate.times, estimate.views


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Estimate:
    """A calibration, and the moments, frames and features from which it was estimated."""

    calibration: Calibration
    times: Float[np.ndarray, " k"]
    views: list[list[RGB]]
    features: list[list[Features]]

    def with_calibration(self, calibration: Calibration) -> "_Estimate":
        return dataclasses.replace(self, calibration=calibration)


def _first_estimate(sources: Sequence[Source]) -> _Estimate:
    """The rig as if all cameras had started together or, if nothing matches then, at offsets found from features."""
    try:
        return _estimate_at(sources, np.zeros(len(sources)))
    except OverlapError:
        # A rig that moves as a whole, or an overlap with nothing but moving things, fits only at equal moments. In a
        # thin overlap or a quick pan these must be exact.
        for searched, interval in _SEARCHES:
            offsets = offsets_from_features(sources, searched, interval)
            if offsets.any():
                with contextlib.suppress(OverlapError):
                    return _estimate_at(sources, offsets)
        raise


def _estimate_at(sources: Sequence[Source], offsets: Float[np.ndarray, " n"]) -> _Estimate:
    times, views = sample_frames(sources, offsets)
    features = detect_all(views)
    calibration = estimate_cameras(views, [source.name for source in sources], features)
    calibration = dataclasses.replace(calibration, offsets=offsets - offsets[0])
    return _Estimate(calibration=calibration, times=times, views=views, features=features)


def _synchronise(sources: Sequence[Source], estimate: _Estimate) -> _Estimate:
    """Corrects the offsets by the motion in the overlaps, and estimates the geometry again at the same moments.

    Cameras on stands need one round. If the rig itself moves, frames of different moments made the geometry wrong, and
    the geometry the offsets; rounds are repeated until neither changes.
    """
    for _ in range(_ROUNDS):
        later = offsets_from_overlap(sources, estimate.calibration)
        if not later.any():
            break
        before, offsets = estimate.calibration, estimate.calibration.offsets + later - later[0]
        try:
            estimate = _estimate_at(sources, offsets)
        except StitchError:
            # Too few features match there. The geometry so far is roughly right; comparing the pictures refines it.
            times, views = sample_frames(sources, offsets)
            matches = [without_matches(*pair["inputs"]) for pair in before.pairs]
            moved = dataclasses.replace(refine_geometry(before, matches, views), offsets=offsets - offsets[0])
            return _Estimate(calibration=moved, times=times, views=views, features=detect_all(views))
        if _corner_distance(before, estimate.calibration) < _CONVERGED:
            break
    return estimate


def _corner_distance(one: Calibration, other: Calibration) -> float:
    """The median distance of the pictures' corners between two calibrations of a rig, in pixels."""
    frames = [corners(*size) for size in one.sizes]
    places = []
    for each in (one, other):
        relative = np.linalg.inv(each.homographies[0, 0]) @ each.homographies[0]
        places.append([project(homography, frame) for homography, frame in zip(relative, frames)])
    return float(np.median(np.linalg.norm(np.subtract(*places), axis=-1)[1:]))


def sample_frames(
    sources: Sequence[Source], offsets: Float[np.ndarray, " n"], count: int = _MOMENTS
) -> tuple[Float[np.ndarray, " k"], list[list[RGB]]]:
    """Returns up to `count` moments from the first 20 s that all sources share, and each source's frames there.

    Args:
      sources: the cameras.
      offsets: when each one starts, in seconds on the common clock.
      count: the number of moments, evenly spaced; moments at which a camera is black are left out.

    Raises:
      StitchError: a source has no frames, or none at the same time as the others.
    """
    start = common_start(sources, offsets)
    lengths = [duration(source) for source in sources]
    end = min(start + _SPAN, min(offset + length for offset, length in zip(offsets, lengths)))
    times = np.linspace(start, max(start, end - 1.5 / min(source.rate for source in sources)), count)
    if end - start < 2 / min(source.rate for source in sources):
        times = times[:1]
    views = []
    for source, offset in zip(sources, offsets):
        reader = NearestFrames(source, float(offset))
        views.append([reader.at(float(time)) for time in times])
    common = [moment for moment in range(len(times)) if all(view[moment] is not None for view in views)]
    if not common:
        raise StitchError(
            f"{sources[0].name} and {sources[-1].name} have no frames at the same time: pass recordings that overlap "
            "in time, or --layout sequence"
        )
    bright = [moment for moment in common if all(is_bright(view[moment]) for view in views)] or common
    return times[bright], [[view[moment] for moment in bright] for view in views]


def _with_gains(calibration: Calibration, times: Float[np.ndarray, " k"], views: list[list[RGB]]) -> Calibration:
    """Returns the calibration with the gains measured in these frames, `views[camera][moment]`."""
    canvas_at = reduced_canvases(calibration, _CELLS)
    canvases = [canvas_at(time) for time in times]
    pictures = np.stack([each([view[index] for view in views]) for index, each in enumerate(canvases)])
    seen = np.logical_and.reduce([each.seen for each in canvases])
    matched = [(pair["inputs"][0], pair["inputs"][1]) for pair in calibration.pairs]
    return dataclasses.replace(calibration, gains=exposure.gains(pictures, seen, matched))
