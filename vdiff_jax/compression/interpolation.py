"""Interpolation of the frames that a track at half rate leaves out."""

import dataclasses
import itertools
import logging
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np

from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.pipeline import diffuse
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.runtime.checkpoints import NO_CHECKPOINTS, Checkpoints
from vdiff_jax.runtime.stopwatch import Stopwatch
from vdiff_jax.stream.analysis import analyse
from vdiff_jax.stream.retiming import retime
from vdiff_jax.tasks.same_size import SameSize
from vdiff_jax.weights import Weights

log = logging.getLogger(__name__)


class Interpolator:
    """Interpolates missing frames with the network; compiled once for all videos of a size.

    Args:
      network: weights that were trained to interpolate.
      pixels: the frames' pixel format.
      size: their height and width.

    Attributes:
      restorer: the network as it was used last.
    """

    def __init__(self, network: Weights, pixels: PixelFormat, size: tuple[int, int]):
        self._pixels = pixels
        self.restorer = Restorer(network, SameSize(pixels, size), lambda quantisers: np.zeros((len(quantisers), 3)))

    def __call__(
        self,
        frames: Iterable[Frame],
        numbers: Iterable[int],
        clock: Stopwatch,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> Iterator[Frame]:
        """All frames from the first number to the last. The given frames are returned unchanged.

        Args:
          frames: the frames that exist.
          numbers: their numbers, in rising order.
          clock: measures the stages.
          checkpoints: those of an earlier run, whose frames are left out; they receive those of this run.
        """
        self.restorer = self.restorer.anew()
        numbered = (dataclasses.replace(frame, pts=number) for frame, number in zip(frames, numbers))
        prepared = analyse(numbered, itertools.repeat(None), self._pixels, self.restorer.multiple)
        return diffuse(retime(prepared, Fraction(1)), self.restorer, clock, checkpoints)


def before_interpolation(checkpoints: Checkpoints) -> Checkpoints:
    """The checkpoints of the steps before interpolation: none, because it measures motion on all of their frames."""
    if checkpoints.begun.frames:
        log.info(
            "half of the frames are interpolated, which continues after frame %d; the others are restored again",
            checkpoints.begun.frames,
        )
    return NO_CHECKPOINTS
