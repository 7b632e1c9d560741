"""The error that a video codec left in a clip: expected from its quantisers, or estimated from the decoded frames."""

from collections.abc import Iterable, Iterator

import numpy as np
from jaxtyping import Float

from vdiff_jax.media.quantisers import scale_of
from vdiff_jax.preprocess.dct import dct_matrix

MIDDLE = {"h264": 32.0, "hevc": 32.0, "vp9": 128.0, "mpeg2video": 4.0}
"""The quantiser in the middle of each codec's practical range; MPEG-2's as log2."""

# For Y', Cb and Cr: log2 of the error in 8-bit units at the middle quantiser, and its slope. Measured by
# scripts/measure_coding.py; single frames' errors differ from it by a factor of 1.5 (luma) to 2 (chroma).
ERROR = {
    "h264": ((2.03, 0.96, 0.76), (0.098, 0.056, 0.054)),
    "hevc": ((1.64, 0.79, 0.65), (0.105, 0.056, 0.045)),
    "vp9": ((1.30, 0.42, 0.21), (0.0152, 0.0108, 0.0117)),
    "mpeg2video": ((1.89, 0.94, 0.76), (0.546, 0.223, 0.205)),
}
# The weights of `features`, and a constant, in log2 of luma's error; from the same script.
FEATURES = (-0.04, 0.537, -0.228, -0.196, 1.179, 0.121, 0.86, -1.365)
# The last two features of a single frame: their means over the same clips.
_MEAN_CHANGES = [4.19, 0.6]


def expected_error(codec: str, quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 3"]:
    """The expected error of Y', Cb and Cr (standard deviation, in [0, 1]) of frames coded with these quantisers.

    Raises:
      KeyError: a codec whose quantisers cannot be read.
    """
    scale = scale_of(codec)
    middle, slope = (np.array(row) for row in ERROR[scale])
    return np.exp2(middle + slope * heights(scale, quantisers)[:, None]).astype(np.float32) / 255


def typical(codec: str) -> float:
    """The quantiser in the middle of a codec's practical range."""
    scale = scale_of(codec)
    return 2 ** MIDDLE[scale] if scale == "mpeg2video" else MIDDLE[scale]


def heights(scale: str, quantisers: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Quantisers minus the middle of their scale. MPEG-2's are taken as log2; the others are logarithmic already."""
    return (np.log2(np.maximum(quantisers, 1)) if scale == "mpeg2video" else quantisers) - MIDDLE[scale]


def estimated_error(luma: Float[np.ndarray, "t h w"]) -> float:
    """Luma's error in [0, 1], estimated from decoded frames alone; within a factor of 2 on three clips of four.

    Args:
      luma: in [0, 1], at least 32 pixels a side.
    """
    return float(np.exp2(np.dot(FEATURES, [*features(luma), 1.0]))) / 255


def features(luma: Float[np.ndarray, "t h w"]) -> list[float]:
    """Seven measures of a decoded clip that predict its coding error; energies and steps in log2 of 8-bit units.

    Features 1 to 4 are the energies of the median 8×8 block in four bands of its DCT; coarse coding empties the highest
    band first. Feature 5 is how much larger steps are on a grid of 4 pixels than elsewhere. Features 6 and 7 are the
    energy of the change from frame to frame, and the share of pixels that do not change.

    Args:
      luma: in [0, 1], at least 8 pixels a side.
    """
    x = luma.astype(np.float32) * 255
    energies = np.concatenate([_band_energies(frame) for frame in x], axis=1)
    bands = [np.median(band) for band in energies]
    moved = _MEAN_CHANGES
    if len(x) > 1:
        changes = np.diff(x, axis=0)
        np.abs(changes, out=changes)
        still = float(np.mean(changes < 0.5))
        moved = [_log(np.square(changes, out=changes).mean()), still]
        del changes
    return [*map(_log, bands), _on_grid(_steps(x), 4), *moved]


def _band_energies(frame: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "bands n"]:
    """The mean energy of each 8×8 block in each of `_BANDS`."""
    height, width = (side // 8 * 8 for side in frame.shape)
    blocks = frame[:height, :width].reshape(height // 8, 8, width // 8, 8).transpose(0, 2, 1, 3)
    energy = np.square(_DCT @ blocks.reshape(-1, 8, 8) @ _DCT.T)
    return np.stack([energy[:, low & high].mean(axis=1) for low, high in _BANDS])


def _steps(x: Float[np.ndarray, "t h w"]) -> Iterator[Float[np.ndarray, "t _ _"]]:
    """The steps between neighbouring pixels in x, then in y."""
    for axis in (2, 1):
        step = np.diff(x, axis=axis)
        yield np.abs(step, out=step)


def block_steps(luma: Float[np.ndarray, "t h w"]) -> float:
    """How much larger steps are between blocks of 8 pixels than within them, in log2; below 0.6 where none are seen.

    Args:
      luma: in [0, 1], at least 16 pixels a side.
    """
    return _on_grid(_steps(luma.astype(np.float32) * 255), 8)


def _on_grid(steps: Iterable[np.ndarray], period: int) -> float:
    """How much larger steps are at the grid's strongest phase than at the others, in log2, over both directions."""
    ratios = []
    for axis, step in zip((2, 1), steps):
        line = step.mean(axis=(0, 3 - axis))
        phases = line[: len(line) // period * period].reshape(-1, period).mean(axis=0)
        ratios.append(_log(phases.max()) - _log((phases.sum() - phases.max()) / (period - 1)))
    return float(np.mean(ratios))


def _log(value: float | np.floating) -> float:
    return float(np.log2(value + 0.02))


_ORDER = np.add.outer(np.arange(8), np.arange(8))
_BANDS = [(low <= _ORDER, high >= _ORDER) for low, high in ((1, 1), (2, 2), (3, 4), (10, 14))]
_DCT = dct_matrix(8)
