"""Fills unseen pixels and bridges clips with the network, by the rollout that repairs video."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from jaxtyping import Bool, Float

from vdiff_jax.media import Frame, PixelFormat
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.stitching.bridge import dissolve_where_unlike
from vdiff_jax.stitching.source import RGB
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.chunks import cut_into_chunks
from vdiff_jax.stream.retiming import retime
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.weights import Weights

_PIXELS = PixelFormat(kind="rgb", full_range=True)


def fill(network: Weights, moments: Iterable[tuple[RGB, Bool[np.ndarray, "h w"]]]) -> Iterator[RGB]:
    """Yields the frames with unseen pixels filled by the network, which also uses what earlier frames showed there.

    Args:
      network: trained weights.
      moments: each frame with the pixels that some camera sees.
    """
    moments = iter(moments)
    first = next(moments, None)
    if first is None:
        return
    restorer = Restorer(network, SameSize(_PIXELS, first[0].shape[:2]), _no_error)
    masks: list[np.ndarray] = []

    def frames() -> Iterator[Frame]:
        for index, (frame, seen) in enumerate(itertools.chain([first], moments)):
            masks.append(~seen)
            yield _frame(frame, index)

    def holes() -> Iterator[np.ndarray]:
        while True:
            yield masks.pop(0)

    prepared = analyse(frames(), holes(), _PIXELS, restorer.multiple)
    for frame in restorer.restore(cut_into_chunks(prepared, restorer.frames)):
        yield np.stack(frame.planes, axis=-1)


def bridge(network: Weights, first: RGB, second: RGB, count: int) -> list[RGB]:
    """Returns `count` frames between two, predicted by the network from these two and the distance in time.

    Regions where the two show different things dissolve: the network was not trained for that.
    """
    restorer = Restorer(network, SameSize(_PIXELS, first.shape[:2]), _no_error)
    ends = [_frame(first, 0), _frame(second, 1)]
    prepared = analyse(ends, itertools.repeat(None), _PIXELS, restorer.multiple)
    # Shot detection would see a cut between the two frames; here they must belong to one shot.
    one_shot = (dataclasses.replace(item, starts_shot=item.frame.pts == 0) for item in prepared)
    cut = cut_into_chunks(retime(one_shot, Fraction(1, count + 1)), restorer.frames)
    made = [np.stack(frame.planes, axis=-1) for frame in restorer.restore(cut)][1:-1]
    return dissolve_where_unlike(first, second, made)


def _frame(picture: RGB, pts: int) -> Frame:
    """A picture as the RGB frame that the restorer takes."""
    return Frame(planes=tuple(np.moveaxis(picture, -1, 0)), pts=pts)


def _no_error(quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
    """The expected error of the known pixels: none."""
    return np.zeros((len(quantisers), 3), np.float32)
