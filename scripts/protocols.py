"""Measures by the protocols of two published tables. Scenes that are in them compare directly.

    python scripts/protocols.py denoise CLIPS [--sigmas 10,20,30,40,50] [--scenes davis_camel,...] [--weights base]
    python scripts/protocols.py inpaint CLIPS [--scenes davis_camel,...] [--weights base]

denoise: the protocol of V-BM4D, DVDnet and FastDVDnet on Set8 and DAVIS. White Gaussian R'G'B' noise, neither clipped
  nor rounded; sigma is given; frames keep their size. PSNR of R'G'B' of the clipped result, mean over frames, then
  scenes.
inpaint: the protocol of E2FGVI and ProPainter on DAVIS. Frames of 432×240 are covered by a random shape, between a
  third of the picture and nearly all of it in width and height. It stands still, or moves by up to 3 pixels a frame and
  bounces off the borders. PSNR and SSIM of R'G'B' over whole frames of 8 bits, mean over frames, then scenes. The masks
  are not the published ones: one of each kind is drawn for each scene, with the scene's name as seed.
"""

import argparse
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import jax
import jax.numpy as jnp
import numpy as np
from benchmarking.arguments import new_parser, numbers, words
from benchmarking.scenes import find_scenes, read_scene
from PIL import Image

import vdiff_jax
from vdiff_jax import metrics

SIZE = (432, 240)
_UNLIMITED = (10**6, 10**6)
_FASTEST = 3
"""The greatest speed of a mask in pixels a frame, in each direction."""


def main() -> None:
    """Measures and prints a row for each scene, and the means."""
    parser = new_parser(__doc__)
    parser.add_argument("task", choices=("denoise", "inpaint"), help="which of the two protocols")
    parser.add_argument("clips", type=Path, help="a folder of videos and folders of pictures")
    parser.add_argument("--scenes", type=words, metavar="A,B", help="names of scenes (default: all)")
    parser.add_argument(
        "--sigmas",
        type=numbers,
        default=[10, 20, 30, 40, 50],
        metavar="A,B",
        help="of the noise, in 8-bit units (default: 10,20,30,40,50)",
    )
    parser.add_argument(
        "--frames", type=int, default=85, help="most frames of a scene (default: 85, as in FastDVDnet's table)"
    )
    parser.add_argument("--weights", default="base", help="name or file of the weights (default: base)")
    options = parser.parse_args()
    scenes = find_scenes(options.clips, options.scenes)
    if options.task == "denoise":
        columns = {f"sigma {sigma:g}": (denoised, sigma) for sigma in options.sigmas}
    else:
        columns = {f"{kind}: PSNR, SSIM": (inpainted, kind) for kind in ("still", "moving")}
    print(f"| | {' | '.join(columns)} |\n|---{'|---' * len(columns)}|")
    rows = []
    for name, path in scenes.items():
        rows.append([measure(name, path, kind, options) for measure, kind in columns.values()])
        _print_row(name, rows[-1])
    _print_row("mean", np.mean(rows, axis=0))


def denoised(name: str, path: Path, sigma: float, options: argparse.Namespace) -> list[float]:
    """The PSNR of a scene with noise of `sigma`, denoised."""
    clean = read_scene(path, options.frames, _UNLIMITED)
    noise = _generator(f"{name} {sigma:g}").normal(0, sigma / 255, clean.shape)
    noisy = (clean / 255 + noise).astype(np.float32)
    result = vdiff_jax.repair(noisy, task="denoise", sigma=sigma, weights=options.weights)
    return [float(np.mean(_each(metrics.psnr, np.clip(result, 0, 1), clean / 255)))]


def inpainted(name: str, path: Path, kind: str, options: argparse.Namespace) -> list[float]:
    """The PSNR and SSIM of a scene covered by a shape of a kind, `still` or `moving`, inpainted."""
    whole = read_scene(path, options.frames, _UNLIMITED)
    clean = np.stack([np.asarray(Image.fromarray(frame).resize(SIZE)) for frame in whole])
    masks = shapes(_generator(f"{name} {kind}"), len(clean), moving=kind == "moving")
    covered = np.where(masks[..., None], np.uint8(128), clean)
    result = vdiff_jax.repair(covered, task="inpaint", mask=masks, weights=options.weights)
    return [float(np.mean(_each(metric, result / 255, clean / 255))) for metric in (metrics.psnr, metrics.ssim)]


def shapes(rng: np.random.Generator, count: int, *, moving: bool) -> np.ndarray:
    """Masks, bool `t h w`, of a random shape: a rounded polygon of six to eight corners."""
    width, height = SIZE
    box = np.array([rng.integers(width // 3, width), rng.integers(height // 3, height)])
    corners = rng.integers(6, 9)
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    radii = rng.uniform(0.6, 1.0, corners)
    around = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    radius = np.interp(around, np.concatenate([angles - 2 * np.pi, angles, angles + 2 * np.pi]), np.tile(radii, 3))
    outline = radius[:, None] * np.column_stack([np.cos(around), np.sin(around)]) * box / 2
    free = np.array(SIZE) - box
    place, speed = rng.uniform(0, free), rng.uniform(-_FASTEST, _FASTEST, 2) * moving
    masks = np.zeros((count, height, width), np.uint8)
    for mask in masks:
        cv2.fillPoly(mask, [np.round(outline + place + box / 2).astype(np.int32)], 1)
        speed = np.where((place + speed < 0) | (place + speed > free), -speed, speed)
        place = np.clip(place + speed, 0, free)
    return masks.astype(bool)


def _each(metric: Callable[[jax.Array, jax.Array], jax.Array], clip: np.ndarray, clean: np.ndarray) -> list[float]:
    """A metric of each frame. They are computed one by one, because whole clips of float32 need much memory."""
    return [float(metric(jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32))) for a, b in zip(clip, clean)]


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng([2024, zlib.crc32(name.encode())])


def _print_row(name: str, cells: list) -> None:
    texts = [", ".join(f"{figure:.2f}" if figure > 1 else f"{figure:.4f}" for figure in cell) for cell in cells]
    print(f"| {name} | {' | '.join(texts)} |", flush=True)


if __name__ == "__main__":
    main()
