"""Measures as two published tables do; compare the figures with theirs where the scenes are the same.

    python scripts/protocols.py denoise CLIPS [--sigmas 10,20,30,40,50] [--scenes davis_camel,...] [--weights base]
    python scripts/protocols.py inpaint CLIPS [--scenes davis_camel,...] [--weights base]

denoise: V-BM4D's, DVDnet's and FastDVDnet's figures on Set8 and DAVIS: white Gaussian R'G'B' noise that is neither
  clipped nor rounded, sigma given, frames in their own size; R'G'B' PSNR of the result, clipped, mean over frames, then
  scenes.
inpaint: E2FGVI's and ProPainter's figures on DAVIS: frames of 432×240, behind a random shape, in height and width from
  a third of the picture's to nearly all of it, that stands still, or moves by up to 3 pixels a frame and turns back at
  the border; R'G'B' PSNR and SSIM of whole frames, rounded to 8 bits, mean over frames, then scenes. One mask of each
  kind a scene, drawn by the scene's name: they are not the published ones.
"""

import argparse
import zlib
from pathlib import Path

import cv2
import jax.numpy as jnp
import numpy as np
from benchmarking.scenes import find_scenes, read_scene
from PIL import Image

import vdiff_jax
from vdiff_jax import metrics

SIZE = (432, 240)
_WHOLE = (10**6, 10**6)
_FASTEST = 3
"""Pixels a frame."""


def main() -> None:
    """Prints a line a scene, and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("denoise", "inpaint"))
    parser.add_argument("clips", type=Path)
    parser.add_argument("--scenes", type=lambda text: text.split(","))
    parser.add_argument("--sigmas", type=lambda text: [float(s) for s in text.split(",")], default=[10, 20, 30, 40, 50])
    parser.add_argument("--frames", type=int, default=85, help="of a scene at most (85, as in FastDVDnet's table)")
    parser.add_argument("--weights", default="base")
    options = parser.parse_args()
    found = find_scenes(options.clips)
    scenes = {name: found[name] for name in options.scenes or found}
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
    """PSNR of a scene under noise of `sigma`."""
    clean = read_scene(path, options.frames, _WHOLE)
    noise = _generator(f"{name} {sigma:g}").normal(0, sigma / 255, clean.shape)
    noisy = (clean / 255 + noise).astype(np.float32)
    result = vdiff_jax.repair(noisy, task="denoise", sigma=sigma, weights=options.weights)
    return [float(np.mean(_each(metrics.psnr, np.clip(result, 0, 1), clean / 255)))]


def inpainted(name: str, path: Path, kind: str, options: argparse.Namespace) -> list[float]:
    """PSNR and SSIM of a scene behind a shape that is `still` or `moving`."""
    whole = read_scene(path, options.frames, _WHOLE)
    clean = np.stack([np.asarray(Image.fromarray(frame).resize(SIZE)) for frame in whole])
    masks = shapes(_generator(f"{name} {kind}"), len(clean), moving=kind == "moving")
    covered = np.where(masks[..., None], np.uint8(128), clean)
    result = vdiff_jax.repair(covered, task="inpaint", mask=masks, weights=options.weights)
    return [float(np.mean(_each(metric, result / 255, clean / 255))) for metric in (metrics.psnr, metrics.ssim)]


def shapes(rng: np.random.Generator, count: int, *, moving: bool) -> np.ndarray:
    """Masks, bool `t h w`: a round shape of six to eight corners."""
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


def _each(metric, clip: np.ndarray, clean: np.ndarray) -> list[float]:
    """Of each frame, one by one: whole clips in floating point are large."""
    return [float(metric(jnp.asarray(a, jnp.float32), jnp.asarray(b, jnp.float32))) for a, b in zip(clip, clean)]


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng([2024, zlib.crc32(name.encode())])


def _print_row(name: str, cells: list) -> None:
    texts = [", ".join(f"{figure:.2f}" if figure > 1 else f"{figure:.4f}" for figure in cell) for cell in cells]
    print(f"| {name} | {' | '.join(texts)} |", flush=True)


if __name__ == "__main__":
    main()
