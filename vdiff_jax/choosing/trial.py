"""A trial whose answer is known, made of a video's own frames: reduced until they are clean, and damaged as it is."""

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
"""Height and width of what is tried on; of larger frames the middle."""
_REDUCTIONS, _WEAK = {4: 512, 2: 96}, 10.0
"""How far frames are reduced, so that their own noise is lost in what is added, and the least side for it; the lesser
also if the noise is weaker than this (in 8-bit units)."""
_RATE = Fraction(25)
_QUANTISERS = np.arange(10, 52)
"""H.264's."""


class Trial(NamedTuple):
    """A problem and its answer.

    Attributes:
      task: what is to be done.
      truth: the frames that should come out, R'G'B'.
      given: a video of the damaged frames.
      size: its height and width.
      sigma: of the noise that was added, in 8-bit units of R'G'B'; 0 for deblock.
      damage: what was done, in words.
      share: pixels of the whole video's frames for each one of the trial's.
    """

    task: str
    truth: list[Float[np.ndarray, "h w 3"]]
    given: Path
    size: tuple[int, int]
    sigma: float
    damage: str
    share: float

    def psnr(self, shown: Iterable[Frame], pixels: PixelFormat) -> float:
        """The mean R'G'B' PSNR in dB of what was made of the damaged frames."""
        made = (_rgb(frame, pixels) for frame in shown)
        errors = [np.mean((frame - truth) ** 2) for frame, truth in zip(made, self.truth, strict=True)]
        return float(-10 * np.log10(np.maximum(errors, 1e-10)).mean())


def make_trial(frames: Sequence[Frame], pixels: PixelFormat, plan: Plan, folder: Path) -> Trial:
    """The trial for what a plan found, its video written to a folder.

    Raises:
      OptionError: frames too small to be tried on.
      VdiffError: they can't be coded.
    """
    height, width = frames[0].planes[0].shape
    weak = plan.tasks != ("denoise",) or plan.sigma_rgb < _WEAK
    fitting = [f for f, least in _REDUCTIONS.items() if min(height, width) >= least and not (weak and f > 2)]
    if not fitting:
        raise OptionError(f"frames of {width}x{height} are too small to be reduced and tried on")
    factor = fitting[0]
    size = tuple(min(most, side // factor) // 4 * 4 for side, most in zip((height, width), _LARGEST))
    truth = [_reduced(frame, number, pixels, factor, size) for number, frame in enumerate(frames[:FRAMES])]
    given, (task,) = folder / "given.mkv", plan.tasks
    if task == "denoise":
        rng = np.random.default_rng(0)
        damaged = [_noisy(rng, frame, pixels, plan.sigma_of_planes(pixels)) for frame in truth]
        codec, options, damage = "ffv1", None, f"noise of sigma {plan.sigma_rgb:.1f}"
    else:
        quantiser = _nearest(float(plan.sigma[0]))
        damaged, codec, damage = truth, "libx264", f"H.264 at quantiser {quantiser}"
        options = {"preset": "medium", "qp": str(quantiser)}
    info = media.VideoInfo(width=size[1], height=size[0], pixels=pixels, rate=_RATE, time_base=1 / _RATE)
    with media.open_writer(given, info, codec=codec, options=options) as writer:
        for frame in damaged:
            writer.write(frame)
    sigma = plan.sigma_rgb if task == "denoise" else 0.0
    shown = [_rgb(frame, pixels) for frame in truth]
    return Trial(task, shown, given, size, sigma, damage, height * width / (size[0] * size[1]))


def _rgb(frame: Frame, pixels: PixelFormat) -> Float[np.ndarray, "h w 3"]:
    return np.clip(to_rgb(frame.planes, pixels)[..., :3], 0, 1)


def _reduced(frame: Frame, number: int, pixels: PixelFormat, factor: int, size: tuple[int, int]) -> Frame:
    """The frame, so many times smaller, and of that the middle."""
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
    """The frame under white noise as strong as the video's in luma and in chroma."""
    planes = []
    for plane, level in zip(frame.planes, sigma):
        noisy = plane + rng.normal(0, level * pixels.peak, plane.shape)
        planes.append(np.clip(np.rint(noisy), 0, pixels.peak).astype(plane.dtype))
    return Frame((*planes, *frame.planes[len(planes) :]), frame.pts)


def _nearest(error: float) -> int:
    """The quantiser that lets expect such an error of luma."""
    expected = expected_error("h264", _QUANTISERS.astype(np.float32))[:, 0]
    return int(_QUANTISERS[np.abs(np.log(expected / max(error, 1e-6))).argmin()])
