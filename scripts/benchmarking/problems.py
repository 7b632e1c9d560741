"""The problems that all peers are given: damaged scenes.

The seed of the random numbers is made from the kind of damage, the scene and the frame. So a damaged frame looks the
same for every peer, whatever the number of frames.
"""

import dataclasses
import tempfile
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarking import streams
from benchmarking.scenes import read_frames, read_masks, write_frames

SIGMAS = (10, 25, 50)
NOISES = ("camera", "correlated", "grain", "coded")
"""Kinds of noise that are not white."""
CRFS = ("28", "33", "38")
HOLES = ("logo", "figure", "scratches", "dropouts")
FACTORS = ("x2", "x4")
REFERENCES = ("first",)
RATES = ("x2",)
_SEED = 2024
_LOGO = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class Problem:
    """One scene with one kind of damage. Its input, masks and truth are folders of PNGs.

    Attributes:
      task: denoise, deblock, inpaint, superres, colorize or interpolate.
      variant: denoise: sigma in 8-bit units, or the kind of noise. deblock: x264's crf. inpaint: the kind of hole.
        superres: the factor. colorize: which frame is the reference. interpolate: the factor of the frame rate.
      scene: the scene's name.
      folder: holds `input/`, `mask/` and `input.mkv`, and the results of the peers.
      truth: the folder of the clean frames.
    """

    task: str
    variant: str
    scene: str
    folder: Path
    truth: Path

    @property
    def sigma(self) -> float:
        """The noise's standard deviation in 8-bit units; if the noise is not white, as measured over the whole clip."""
        if self.task == "denoise" and self.variant in NOISES:
            return float(np.std(self.frames().astype(np.float32) - self.clean()))
        return float(self.variant) if self.task == "denoise" else 0.0

    @property
    def stream(self) -> Path:
        """The coded video that `frames` were decoded from, for deblock."""
        return self.folder / "input.mkv"

    @property
    def factor(self) -> int:
        """The factor by which the frames were reduced; 1 for all tasks but superres."""
        return int(self.variant[1:]) if self.task == "superres" else 1

    @property
    def reference_file(self) -> Path:
        """The picture of the one frame whose colours are given, for colorize."""
        return sorted(self.truth.glob("*.png"))[0]

    def reference(self) -> np.ndarray:
        """The one frame whose colours are given, uint8 RGB `h w 3`."""
        return self.clean()[0]

    def frames(self) -> np.ndarray:
        """The damaged frames, uint8 RGB `t h w 3`."""
        return read_frames(self.folder / "input")

    def clean(self) -> np.ndarray:
        """The true frames, uint8 RGB `t h w 3`.

        For superres, height and width are cut to a multiple of the factor; for interpolate, the number of frames is
        made odd, so that the last frame is one that is given.
        """
        frames, n = read_frames(self.truth), self.factor
        if self.task == "interpolate":
            return frames[: (len(frames) - 1) // 2 * 2 + 1]
        return frames[:, : frames.shape[1] // n * n, : frames.shape[2] // n * n]

    def untouched(self) -> np.ndarray:
        """The damaged frames, made as many as the true ones by repetition and as large by bicubic interpolation."""
        frames, n = self.frames(), self.factor
        if self.task == "interpolate":
            return frames.repeat(2, axis=0)[:-1]
        if n == 1:
            return frames
        size = (frames.shape[2] * n, frames.shape[1] * n)
        return np.stack([Image.fromarray(f).resize(size, Image.Resampling.BICUBIC) for f in frames])

    def masks(self) -> np.ndarray | None:
        """The pixels that a peer has to make, bool `t h w`; None if it may change all of them."""
        if self.task == "interpolate":
            clean = self.clean()
            return np.broadcast_to(np.arange(len(clean))[:, None, None] % 2 == 1, clean.shape[:3])
        return read_masks(self.folder / "mask") if self.task == "inpaint" else None


def make_problem(task: str, variant: str, scene: str, truth: Path, folder: Path) -> Problem:
    """Makes a problem; its pictures are written to `folder` unless they are there already."""
    problem = Problem(task=task, variant=variant, scene=scene, folder=folder, truth=truth)
    if task == "inpaint" and not (folder / "mask").exists():
        write_frames(folder / "mask", holes(variant, scene, problem.clean().shape[:3]))
    if not (folder / "input").exists():
        damage = {
            "denoise": lambda clean: _noisy(clean, problem),
            "deblock": lambda clean: _coded(clean, problem),
            "inpaint": lambda clean: cover(clean, problem.masks(), variant),
            "superres": lambda clean: reduce(clean, problem.factor),
            "colorize": grey,
            "interpolate": lambda clean: clean[::2],
        }
        write_frames(folder / "input", damage[task](problem.clean()))
    return problem


def files_seconds(problem: Problem, result: np.ndarray) -> float:
    """Seconds for each frame of the result that reading the input's PNGs and writing the result as PNGs take."""
    begun = time.perf_counter()
    problem.frames()
    read = (time.perf_counter() - begun) / len(problem.clean())
    with tempfile.TemporaryDirectory(dir=problem.folder) as folder:
        begun = time.perf_counter()
        write_frames(Path(folder) / "result", result)
        return read + (time.perf_counter() - begun) / len(result)


def _coded(clean: np.ndarray, problem: Problem) -> np.ndarray:
    problem.folder.mkdir(parents=True, exist_ok=True)
    streams.encode(clean, problem.variant, problem.stream)
    return streams.decode(problem.stream, clean.shape)


def reduce(clean: np.ndarray, factor: int) -> np.ndarray:
    """Frames, uint8 `t h w 3`, reduced by Pillow's antialiased bicubic filter."""
    size = (clean.shape[2] // factor, clean.shape[1] // factor)
    return np.stack([Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC) for frame in clean])


def grey(clean: np.ndarray) -> np.ndarray:
    """Frames, uint8 `t h w 3`, with luma (BT.601) in all three channels."""
    return np.stack([np.repeat(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1) for frame in clean])


def add_noise(clean: np.ndarray, sigma: float, scene: str) -> np.ndarray:
    """Frames, uint8 `t h w 3`, with white Gaussian R'G'B' noise, rounded and clipped to 8 bits."""
    noisy = [frame + _generator(f"noise {scene}", t).normal(0, sigma, frame.shape) for t, frame in enumerate(clean)]
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def _noisy(clean: np.ndarray, problem: Problem) -> np.ndarray:
    kind, scene = problem.variant, problem.scene
    if kind not in NOISES:
        return add_noise(clean, problem.sigma, scene)
    if kind == "coded":
        problem.folder.mkdir(parents=True, exist_ok=True)
        streams.encode(add_noise(clean, 25, scene), "23", problem.stream)
        return streams.decode(problem.stream, clean.shape)
    noise = np.stack([_noise(frame / 255, kind, _generator(f"{kind} {scene}", t)) for t, frame in enumerate(clean)])
    return np.clip(np.round(clean + noise), 0, 255).astype(np.uint8)


def _noise(frame: np.ndarray, kind: str, rng: np.random.Generator) -> np.ndarray:
    """Noise of one kind for a frame in [0, 1], in 8-bit units.

    camera: grows with the light. correlated: neighbours resemble each other, as after demosaicking. grain: the same in
    all channels, strongest in mid-grey, as on film.
    """
    if kind == "camera":
        return np.sqrt(6**2 + 30**2 * frame) * rng.normal(0, 1, frame.shape)
    width, level = (0.7, 20 * np.ones_like(frame)) if kind == "correlated" else (1.0, 40 * np.sqrt(frame * (1 - frame)))
    white = rng.normal(0, 1, frame.shape if kind == "correlated" else (*frame.shape[:2], 1))
    blurred = cv2.GaussianBlur(white, (0, 0), width).reshape(white.shape)
    return level * blurred / blurred.std()


def cover(clean: np.ndarray, masks: np.ndarray, variant: str) -> np.ndarray:
    """Frames, uint8 `t h w 3`, with the pixels inside the masks made black for drop-outs, white for all other holes."""
    return np.where(masks[..., None], np.uint8(0 if variant == "dropouts" else 255), clean)


def holes(variant: str, scene: str, shape: tuple[int, int, int]) -> np.ndarray:
    """Masks, bool `t h w`, of one of the `HOLES`: logo, figure, scratches or dropouts."""
    count, height, width = shape
    if variant == "logo":
        generator, mask = _generator(f"logo {scene}", 0), np.zeros(shape, bool)
        y, x = (int(generator.integers(8, length - _LOGO - 8)) for length in (height, width))
        mask[:, y : y + _LOGO, x : x + _LOGO] = True
        return mask
    if variant == "dropouts":
        return np.stack([_generator(f"dropouts {scene}", t).random((height, width)) < 0.2 for t in range(count)])
    return _figure(scene, shape) if variant == "figure" else _scratches(scene, shape)


def _figure(scene: str, shape: tuple[int, int, int], *, stride: int = 24) -> np.ndarray:
    """The silhouette of a person who walks across: half as high as the picture, two steps in `stride` frames."""
    count, height, width = shape
    generator, size = _generator(f"figure {scene}", 0), 0.5 * height
    way = int(generator.choice([-1, 1]))
    start, floor = generator.uniform(0.3, 0.7) * width, generator.uniform(0.75, 0.95) * height
    mask = np.zeros(shape, np.uint8)
    for t in range(count):
        swing = np.sin(2 * np.pi * t / stride)
        hip = np.array([start + way * 0.6 * size * (t - count / 2) / stride, floor - 0.48 * size])
        neck = hip - [0, 0.34 * size]
        limbs = [(hip, 0.48, 0.45 * swing, 0.10), (hip, 0.48, -0.45 * swing, 0.10)]
        limbs += [(neck, 0.38, 0.5 * swing, 0.06), (neck, 0.38, -0.5 * swing, 0.06), (neck, 0.36, 0.0, 0.2)]
        for joint, length, angle, thickness in limbs:
            end = joint + length * size * np.array([np.sin(angle), np.cos(angle)])
            points = [tuple(int(c) for c in np.round(point)) for point in (joint, end)]
            cv2.line(mask[t], *points, 1, max(1, round(thickness * size)))
        cv2.circle(mask[t], tuple(int(c) for c in np.round(neck - [0, 0.1 * size])), round(0.08 * size), 1, -1)
    return mask.astype(bool)


def _scratches(scene: str, shape: tuple[int, int, int], *, number: int = 5, thickness: int = 2) -> np.ndarray:
    """Nearly vertical lines from top to bottom that drift sideways from frame to frame, like scratches on film."""
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
