"""The calibration of a rig: its geometry, offsets and gains, and the JSON file that keeps them."""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vdiff_jax.errors import StitchError

_VERSION = 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class Calibration:
    """A rig of n cameras, with one geometry, or with one for each of k key moments if the cameras move.

    Attributes:
      sizes: each camera's (width, height) in pixels.
      reference: the camera whose image plane the others are mapped to.
      homographies: k n 3 3, camera pixels → pixels of the reference's plane (pixel centres at integers).
      times: k, the key moments in seconds on the first input's clock; one for a rig that keeps its geometry.
      focal: the reference's focal length in pixels.
      turning: whether the cameras rotate about one point; each then has a focal length and a rotation.
      offsets: n, when each input starts, in seconds on the first input's clock.
      gains: n 3, the factors for R, G, B that make the cameras agree; the first input's are 1.
      rms: the residual of the matches, in pixels.
      pairs: for each pair of cameras that overlap: `inputs` (counted from 0), `matches`, `candidates`, `overlap`.
      shake: of a stabilised rig, the mean change of the picture's velocity from frame to frame, in pixels, before and
        after stabilising; None for others.
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
        """Returns the homographies at a time in seconds on the first input's clock, interpolated linearly.

        After the last key moment the motion goes on for one more interval; then the cameras stop.
        """
        position = float(np.interp(time, self.times, np.arange(len(self.times))))
        if len(self.times) > 1:
            interval = self.times[-1] - self.times[-2]
            position += float(np.clip((time - self.times[-1]) / interval, 0, 1))
        low = min(int(position), max(0, len(self.times) - 2))
        high = min(low + 1, len(self.times) - 1)
        share = position - low
        return self.homographies[low] * (1 - share) + self.homographies[high] * share

    def save(self, path: str | pathlib.Path) -> None:
        """Writes the calibration as JSON."""
        fields = dataclasses.asdict(self)
        values = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in fields.items()}
        pathlib.Path(path).write_text(json.dumps({"version": _VERSION, **values}, indent=1) + "\n")


def load_calibration(path: str | pathlib.Path) -> Calibration:
    """Reads a file that `Calibration.save` wrote.

    Raises:
      StitchError: the file does not exist, or is not a calibration of this version.
    """
    try:
        fields = json.loads(pathlib.Path(path).read_text())
        if fields.pop("version") != _VERSION:
            raise StitchError(
                f"calibration {path} has another version than {_VERSION}: delete it, and stitch writes a new one"
            )
        arrays = {name: np.asarray(fields.pop(name), float) for name in ("homographies", "times", "offsets", "gains")}
        sizes = tuple((int(width), int(height)) for width, height in fields.pop("sizes"))
        pairs = tuple(fields.pop("pairs"))
        calibration = Calibration(**fields, **arrays, sizes=sizes, pairs=pairs)
    except FileNotFoundError as error:
        raise StitchError(f"calibration {path}: no such file") from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise StitchError(
            f"calibration {path} is no file that stitch wrote ({error}): delete it, and stitch writes a new one"
        ) from error
    if not _fit(calibration):
        raise StitchError(f"calibration {path} is damaged, its numbers do not fit its {len(sizes)} cameras: delete it")
    return calibration


def _fit(calibration: Calibration) -> bool:
    """Whether the arrays have the shapes of this number of cameras, and all numbers are finite."""
    count, moments = len(calibration.sizes), calibration.times.size
    arrays = (calibration.homographies, calibration.times, calibration.offsets, calibration.gains)
    shapes = [(moments, count, 3, 3), (moments,), (count,), (count, 3)]
    number, turning, scalars = calibration.reference, calibration.turning, (calibration.focal, calibration.rms)
    return (
        moments > 0
        and [array.shape for array in arrays] == shapes
        and all(np.isfinite(array).all() for array in arrays)
        and type(number) is int
        and 0 <= number < count
        and type(turning) is bool
        and all(isinstance(value, int | float) and abs(value) < 1e12 for value in scalars)
    )


def check_fits(calibration: Calibration, sizes: Sequence[tuple[int, int]]) -> None:
    """Raises StitchError unless the calibration is for inputs of these (width, height)."""
    if tuple(sizes) != calibration.sizes:
        raise StitchError(
            f"the calibration is for inputs of (width, height) {list(calibration.sizes)}, these have {list(sizes)}: "
            "pass the inputs in the same order, or another file as calibration"
        )
