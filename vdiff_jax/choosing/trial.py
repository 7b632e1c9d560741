"""Makes a trial clip whose clean version is known: a video's frames, reduced until clean, then damaged again."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from vdiff_jax import media
from vdiff_jax.errors import OptionError
from vdiff_jax.media.colour import to_rgb
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.stream.compression_error import expected_error
from vdiff_jax.stream.resize import resized_planes
from vdiff_jax.tasks.plan import Plan

FRAMES = 24
_LARGEST = (360, 640)
"""The largest height and width of the clip. Larger frames are cropped to their middle."""
_REDUCTIONS = {4: 512, 2: 96}
"""The factors by which frames are reduced, and the smallest side of a frame for each. Reduction makes the frames' own
noise small compared with the added damage."""
_WEAK = 10.0
"""Noise below this sigma, in 8-bit units, is reduced by a factor of 2 only."""
_RATE = Fraction(25)
_QUANTISERS = np.arange(10, 52)
"""The quantisers of H.264 that are tried."""


class Trial(NamedTuple):
    """A damaged clip and its clean version.

    Attributes:
      task: the task that repairs it.
      clean: the clean frames, R'G'B' in [0, 1].
      damaged: a video file of the damaged frames.
      size: height and width.
      sigma: standard deviation of the added noise, in 8-bit units of R'G'B'; 0 for deblock.
      description: the damage in words.
      area_ratio: the pixels of a frame of the whole video, divided by those of a frame of the clip.
    """

    task: str
    clean: list[Float[np.ndarray, "h w 3"]]
    damaged: Path
    size: tuple[int, int]
    sigma: float
    description: str
    area_ratio: float

    def psnr(self, frames: Iterable[Frame], pixels: PixelFormat) -> float:
        """The mean R'G'B' PSNR of repaired frames in dB."""
        pairs = zip((_rgb(frame, pixels) for frame in frames), self.clean, strict=True)
        errors = [np.mean((frame - clean) ** 2) for frame, clean in pairs]
        return float(-10 * np.log10(np.maximum(errors, 1e-10)).mean())


def make_trial(frames: Sequence[Frame], pixels: PixelFormat, plan: Plan, folder: Path) -> Trial:
    """Makes the trial clip for a plan.

    Args:
      frames: the video's first frames, of which at most 24 are used.
      pixels: their format.
      plan: the one task that the video needs, and its sigma.
      folder: where the damaged clip is written.

    Raises:
      OptionError: the frames are too small to be reduced.
      OutputError: the clip can't be encoded.
    """
    height, width = frames[0].planes[0].shape
    weak = plan.tasks != ("denoise",) or plan.sigma_rgb < _WEAK
    fitting = [f for f, least in _REDUCTIONS.items() if min(height, width) >= least and not (weak and f > 2)]
    if not fitting:
        raise OptionError(f"frames of {width}x{height} are too small for a trial: their sides must be at least 96")
    factor = fitting[0]
    size = tuple(min(most, side // factor) // 4 * 4 for side, most in zip((height, width), _LARGEST))
    clean = [_reduced(frame, number, pixels, factor, size) for number, frame in enumerate(frames[:FRAMES])]
    path, (task,) = folder / "damaged.mkv", plan.tasks
    if task == "denoise":
        rng = np.random.default_rng(0)
        damaged = [_noisy(rng, frame, pixels, plan.sigma_of_planes(pixels)) for frame in clean]
        codec, options, description = "ffv1", None, f"noise of sigma {plan.sigma_rgb:.1f}"
    else:
        quantiser = _nearest_quantiser(float(plan.sigma[0]))
        damaged, codec, description = clean, "libx264", f"H.264 at quantiser {quantiser}"
        options = {"preset": "medium", "qp": str(quantiser)}
    info = media.VideoInfo(width=size[1], height=size[0], pixels=pixels, rate=_RATE, time_base=1 / _RATE)
    with media.open_writer(path, info, codec=codec, options=options, trial=True) as writer:
        for frame in damaged:
            writer.write(frame)
    sigma = plan.sigma_rgb if task == "denoise" else 0.0
    area_ratio = height * width / (size[0] * size[1])
    return Trial(task, [_rgb(frame, pixels) for frame in clean], path, size, sigma, description, area_ratio)


def _rgb(frame: Frame, pixels: PixelFormat) -> Float[np.ndarray, "h w 3"]:
    return np.clip(to_rgb(frame.planes, pixels)[..., :3], 0, 1)


def _reduced(frame: Frame, number: int, pixels: PixelFormat, factor: int, size: tuple[int, int]) -> Frame:
    """The frame, `factor` times smaller, cropped to the middle of the given size."""
    height, width = (side // factor // 2 * 2 for side in frame.planes[0].shape)
    planes = resized_planes(frame.planes, pixels, (height, width))
    top, left = ((side - kept) // 4 * 2 for side, kept in zip((height, width), size))
    shapes = pixels.plane_shapes(size[1], size[0])
    middle = []
    for plane, (rows, columns) in zip(planes, shapes):
        y, x = top * rows // size[0], left * columns // size[1]
        middle.append(np.ascontiguousarray(plane[y : y + rows, x : x + columns]))
    return Frame(tuple(middle), number)


def _noisy(rng: np.random.Generator, frame: Frame, pixels: PixelFormat, sigma: Float[np.ndarray, "3"]) -> Frame:
    """The frame with white noise of a standard deviation for each plane, in [0, 1]."""
    planes = []
    for plane, level in zip(frame.planes, sigma):
        noisy = plane + rng.normal(0, level * pixels.peak, plane.shape)
        planes.append(np.clip(np.rint(noisy), 0, pixels.peak).astype(plane.dtype))
    return Frame((*planes, *frame.planes[len(planes) :]), frame.pts)


def _nearest_quantiser(error: float) -> int:
    """The quantiser of H.264 whose expected error of luma is nearest to `error`, in [0, 1]."""
    expected = expected_error("h264", _QUANTISERS.astype(np.float32))[:, 0]
    return int(_QUANTISERS[np.abs(np.log(expected / max(error, 1e-6))).argmin()])
