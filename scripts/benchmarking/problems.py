"""The problems put to all peers: scenes made noisy, coded, covered, small or grey, the same whoever is to solve them.

Randomness is keyed by the problem, the scene and the frame alone, so that neither the peers nor the number of frames
change what a frame looks like.
"""

import dataclasses
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarking import streams
from benchmarking.scenes import read_frames, read_masks, write_frames

SIGMAS = (10, 25, 50)
CRFS = ("28", "33", "38")
HOLES = ("logo", "scratches", "dropouts")
FACTORS = ("x2", "x4")
REFERENCES = ("first",)
_SEED = 2024
_LOGO = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One scene damaged in one way; its input, masks and truth are folders of PNGs.

    Attributes:
      task: denoise, deblock, inpaint, superres or colorize.
      variant: the sigma in 8-bit units, x264's crf, the kind of hole, the factor, or which frame is the reference.
      scene: the scene's name.
      folder: where `input/`, `mask/` and `input.mkv` are, and the peers' results go.
      truth: the folder of clean frames.
    """

    task: str
    variant: str
    scene: str
    folder: Path
    truth: Path

    @property
    def sigma(self) -> float:
        """The noise in 8-bit units."""
        return float(self.variant) if self.task == "denoise" else 0.0

    @property
    def stream(self) -> Path:
        """The coded video of which `frames` were decoded, for deblock."""
        return self.folder / "input.mkv"

    @property
    def factor(self) -> int:
        """By how much the frames were made smaller."""
        return int(self.variant[1:]) if self.task == "superres" else 1

    @property
    def reference_file(self) -> Path:
        """The one frame that keeps its colours, a picture."""
        return sorted(self.truth.glob("*.png"))[0]

    def reference(self) -> np.ndarray:
        """The same, uint8 RGB `h w 3`."""
        return self.clean()[0]

    def frames(self) -> np.ndarray:
        """The damaged frames, uint8 RGB `t h w 3`."""
        return read_frames(self.folder / "input")

    def clean(self) -> np.ndarray:
        """The frames before, uint8 RGB `t h w 3`; for superres without what is left over by the factor."""
        frames, n = read_frames(self.truth), self.factor
        return frames[:, : frames.shape[1] // n * n, : frames.shape[2] // n * n]

    def untouched(self) -> np.ndarray:
        """The damaged frames in the size of the clean ones: small ones as bicubic interpolation enlarges them."""
        frames, n = self.frames(), self.factor
        if n == 1:
            return frames
        size = (frames.shape[2] * n, frames.shape[1] * n)
        return np.stack([Image.fromarray(f).resize(size, Image.Resampling.BICUBIC) for f in frames])

    def masks(self) -> np.ndarray | None:
        """What is to be filled, bool `t h w`; None for noise and blocks."""
        return read_masks(self.folder / "mask") if self.task == "inpaint" else None


def make_problem(task: str, variant: str, scene: str, truth: Path, folder: Path) -> Problem:
    """Writes a problem's pictures, unless they are there."""
    problem = Problem(task=task, variant=variant, scene=scene, folder=folder, truth=truth)
    if task == "inpaint" and not (folder / "mask").exists():
        write_frames(folder / "mask", holes(variant, scene, problem.clean().shape[:3]))
    if not (folder / "input").exists():
        damage = {
            "denoise": lambda clean: add_noise(clean, problem.sigma, scene),
            "deblock": lambda clean: _coded(clean, problem),
            "inpaint": lambda clean: cover(clean, problem.masks(), variant),
            "superres": lambda clean: reduce(clean, problem.factor),
            "colorize": grey,
        }
        write_frames(folder / "input", damage[task](problem.clean()))
    return problem


def _coded(clean: np.ndarray, problem: Problem) -> np.ndarray:
    problem.folder.mkdir(parents=True, exist_ok=True)
    streams.encode(clean, problem.variant, problem.stream)
    return streams.decode(problem.stream, clean.shape)


def reduce(clean: np.ndarray, factor: int) -> np.ndarray:
    """Pillow's antialiased bicubic reduction."""
    size = (clean.shape[2] // factor, clean.shape[1] // factor)
    return np.stack([Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in clean])


def grey(clean: np.ndarray) -> np.ndarray:
    """Luma (BT.601) in all three channels."""
    return np.stack([np.repeat(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1) for frame in clean])


def add_noise(clean: np.ndarray, sigma: float, scene: str) -> np.ndarray:
    """White Gaussian R'G'B' noise, rounded and clipped to 8 bits."""
    noisy = [frame + _generator(f"noise {scene}", t).normal(0, sigma, frame.shape) for t, frame in enumerate(clean)]
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def cover(clean: np.ndarray, masks: np.ndarray, variant: str) -> np.ndarray:
    """Drop-outs are black, what is laid over is white."""
    return np.where(masks[..., None], np.uint8(0 if variant == "dropouts" else 255), clean)


def holes(variant: str, scene: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Masks, bool `t h w`, of a still square logo, of a film's scratches or of drop-outs."""
    count, height, width = shape
    if variant == "logo":
        generator, mask = _generator(f"logo {scene}", 0), np.zeros(shape, bool)
        y, x = (int(generator.integers(8, length - _LOGO - 8)) for length in (height, width))
        mask[:, y : y + _LOGO, x : x + _LOGO] = True
        return mask
    if variant == "dropouts":
        return np.stack([_generator(f"dropouts {scene}", t).random((height, width)) < 0.2 for t in range(count)])
    return _scratches(scene, shape)


def _scratches(scene: str, shape: tuple[int, int, int], *, number: int = 5, thickness: int = 2) -> np.ndarray:
    """Nearly vertical lines through the whole picture that wander from frame to frame, as the film does in its gate."""
    count, height, width = shape
    generator = _generator(f"scratches {scene}", 0)
    start, slope = generator.uniform(0.05, 0.95, number) * width, generator.uniform(-0.03, 0.03, number)
    steps = np.stack([_generator(f"scratches {scene}", 1 + t).normal(0, 1.5, number) for t in range(count)])
    mask, rows = np.zeros(shape, bool), np.arange(height)
    for t, offsets in enumerate(start + np.cumsum(steps, axis=0)):
        for offset, lean in zip(offsets, slope):
            left = np.round(offset + lean * rows).astype(int)
            for column in range(thickness):
                inside = (left + column >= 0) & (left + column < width)
                mask[t, rows[inside], left[inside] + column] = True
    return mask


def _generator(name: str, number: int) -> np.random.Generator:
    return np.random.default_rng([_SEED, zlib.crc32(name.encode()), number])
