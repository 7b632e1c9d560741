"""Finds when each camera of a rig started, from the offsets of its pairs."""

import itertools
import logging
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from vdiff_jax.stitching.calibration import Calibration
from vdiff_jax.stitching.features import detect
from vdiff_jax.stitching.reduced_canvas import reduced_canvases
from vdiff_jax.stitching.source import RGB, Source, is_bright
from vdiff_jax.stitching.synchronise import Offset, change_signal, find_offset, offset_from_features

logger = logging.getLogger(__name__)
_FIRST_FRAMES = 300  # frames of each camera whose changes are compared
_CELLS = 6000  # of the reduced canvas


def offsets_from_overlap(sources: Sequence[Source], calibration: Calibration) -> Float[np.ndarray, " n"]:
    """Returns the corrections to the offsets with which the motion in the overlaps agrees.

    All are 0 if a camera has fewer than eight frames that are not black.
    """
    canvas_at = reduced_canvases(calibration, _CELLS)
    pictures, seen, times = [], [], []
    for index, (source, offset) in enumerate(zip(sources, calibration.offsets)):
        small, always, moments = [], True, []
        for time, frame in itertools.islice(source.frames(), _FIRST_FRAMES):
            if is_bright(frame):
                canvas = canvas_at(time + offset)
                small.append(canvas.one_camera(index, frame))
                always = always & canvas.seen[index]
                moments.append(time + offset)
        if len(small) < 8:
            return np.zeros(len(sources))
        pictures.append(np.stack(small))
        seen.append(always)
        times.append(np.array(moments))
    offsets = {}
    for pair in calibration.pairs:
        first, second = pair["inputs"]
        both = seen[first] & seen[second]
        if both.any():
            signals = [change_signal(pictures[camera], both) for camera in (first, second)]
            offsets[first, second] = find_offset(signals[0], times[first], signals[1], times[second])
    result, unknown = chain_offsets(offsets, len(sources))
    for camera in unknown:
        logger.warning("%s: nothing moves in its overlaps, so it is taken to start with input 1", sources[camera].name)
    # The nearest frames are shown, so an offset below a tenth of a frame's interval does not matter.
    return np.where(np.abs(result) < 0.1 / max(source.rate for source in sources), 0.0, result)


def offsets_from_features(sources: Sequence[Source], searched: float, interval: float) -> Float[np.ndarray, " n"]:
    """Returns the offsets in seconds at which most features fit one geometry.

    Args:
      sources: the cameras.
      searched: how many seconds of each are searched.
      interval: seconds between the moments; at least one frame.
    """
    step = max(interval, 1 / min(source.rate for source in sources))
    moments = []
    for source in sources:
        every = max(1, round(source.rate * step))
        frames = itertools.islice(source.frames(), 0, int(searched * source.rate), every)
        moments.append([(time, detect(_at_most_640(frame))) for time, frame in frames])
    offsets = {
        pair: offset_from_features(moments[pair[0]], moments[pair[1]], step=step)
        for pair in itertools.combinations(range(len(sources)), 2)
    }
    return chain_offsets(offsets, len(sources))[0]


def _at_most_640(frame: RGB) -> RGB:
    """A frame whose longer side has at most 640 pixels, enough to count matches."""
    scale = min(1.0, 640 / max(frame.shape))
    return cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def chain_offsets(pairs: dict[tuple[int, int], Offset], count: int) -> tuple[Float[np.ndarray, " n"], list[int]]:
    """Returns each camera's offset to the first one, summed along the pairs that agree best.

    Returns:
      The offsets, and the cameras that no reliable pair connects; theirs are 0.
    """
    offsets, unknown = {0: 0.0}, []
    reliable = {pair: offset for pair, offset in pairs.items() if offset.found}
    while len(offsets) < count:
        reachable = [pair for pair in reliable if (pair[0] in offsets) != (pair[1] in offsets)]
        if not reachable:
            missing = next(index for index in range(count) if index not in offsets)
            unknown.append(missing)
            offsets[missing] = 0.0
            continue
        first, second = max(reachable, key=lambda pair: reliable[pair].agreement)
        if first in offsets:
            offsets[second] = offsets[first] + reliable[first, second].seconds
        else:
            offsets[first] = offsets[second] - reliable[first, second].seconds
    return np.array([offsets[index] for index in range(count)]), unknown
