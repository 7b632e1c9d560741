"""Measures whether a repaired video flickers more than its truth, or drifts in 2,000 frames.

    python scripts/stability.py CLIPS [--task denoise|deblock|superres --variants 25] [--weights base] [--frames 20]
    python scripts/stability.py --drift 2000 [--sigma 25]

The first form damages every scene of CLIPS as `benchmark.py` does and repairs it. It prints how much the result changes
from frame to frame, divided by how much the truth does: in still areas (where the truth changes by less than 2 of 255,
averaged over 9×9 pixels), and along the truth's DIS flow. A ratio above 1.05 is added flicker.

The second form denoises one frame of the sample, repeated with new noise. It prints the PSNR and the mean brightness
for each tenth of the frames: neither should change.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import cv2
import jax.numpy as jnp
import numpy as np
from benchmarking.arguments import new_parser, words
from benchmarking.problems import add_noise, make_problem
from benchmarking.scenes import find_scenes, read_scene, write_frames
from benchmarking.scores import optical_flow

import vdiff_jax
from vdiff_jax import metrics, sample
from vdiff_jax.media import open_reader
from vdiff_jax.media.colour import to_rgb

STILL = 2 / 255
"""An area is still if it changes by less than this from frame to frame, on average."""
_AREA = (9, 9)
"""Pixels that are averaged: a single one may stay the same by chance."""


def main() -> None:
    """Measures flicker or drift, and prints it."""
    parser = new_parser(__doc__)
    parser.add_argument("clips", type=Path, nargs="?", help="a folder of videos and folders of pictures")
    parser.add_argument(
        "--task", default="denoise", choices=("denoise", "deblock", "superres"), help="default: denoise"
    )
    parser.add_argument(
        "--variants", type=words, default=["25"], metavar="A,B", help="sigmas, crfs, x2 or x4 (default: 25)"
    )
    parser.add_argument("--scenes", type=words, metavar="A,B", help="names of scenes (default: all)")
    parser.add_argument("--weights", default="base", help="name or file of the weights (default: base)")
    parser.add_argument("--frames", type=int, default=20, help="frames of a scene (default: 20)")
    parser.add_argument("--drift", type=int, metavar="FRAMES", help="measure the drift in this many frames")
    parser.add_argument("--sigma", type=float, default=25, help="of the noise for --drift (default: 25)")
    options = parser.parse_args()
    if options.drift:
        drift(options)
    elif options.clips:
        flicker(options)
    else:
        parser.error("nothing to measure: pass CLIPS, or --drift FRAMES")


def flicker(options: argparse.Namespace) -> None:
    """Prints the ratios of each scene, and their means."""
    scenes = find_scenes(options.clips, options.scenes)
    print("| scene | still | along the flow |\n|---|---|---|")
    ratios = []
    for variant, (name, path) in itertools.product(options.variants, scenes.items()):
        clean = read_scene(path, options.frames, (640, 360))
        with tempfile.TemporaryDirectory() as folder:
            result = _repaired(options, variant, name, clean, Path(folder))
        clean = clean[:, : result.shape[1], : result.shape[2]]  # superres cuts the size to a multiple of the factor
        flow = optical_flow(clean)
        changes = [_changes(clip, clean, flow) for clip in (result, clean)]
        ratios.append(changes[0] / np.maximum(changes[1], 1e-6))
        print(f"| {name} {variant} | {ratios[-1][0]:.3f} | {ratios[-1][1]:.3f} |", flush=True)
    mean = np.nanmean(ratios, axis=0)
    print(f"| mean | {mean[0]:.3f} | {mean[1]:.3f} |")


def _repaired(options: argparse.Namespace, variant: str, name: str, clean: np.ndarray, folder: Path) -> np.ndarray:
    """The frames of a scene after damage and repair."""
    write_frames(folder / "truth", clean)
    problem = make_problem(options.task, variant, name, folder / "truth", folder / "problem")
    if options.task == "denoise":
        sigma = problem.sigma
        return vdiff_jax.repair(problem.frames(), task="denoise", sigma=sigma, weights=options.weights)
    if options.task == "superres":
        return vdiff_jax.repair(problem.frames(), task="superres", scale=problem.factor, weights=options.weights)
    vdiff_jax.repair(problem.stream, folder / "result.mkv", task="deblock", weights=options.weights, codec="ffv1")
    return _read(folder / "result.mkv", len(clean))


def _changes(clip: np.ndarray, clean: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """The mean change from frame to frame in still areas (NaN if there are none), and along the flow."""
    clip, clean = (np.asarray(c, np.float32) / 255 for c in (clip, clean))
    largest = np.abs(np.diff(clean, axis=0)).max(axis=-1)
    still = jnp.asarray([cv2.blur(change, _AREA) < STILL for change in largest])[..., None]
    own = metrics.temporal_difference_error(jnp.asarray(clip), jnp.zeros(clip.shape), where=still)
    return np.array([own, metrics.warping_error(jnp.asarray(clip), jnp.asarray(flow))])


def drift(options: argparse.Namespace) -> None:
    """Prints the PSNR and the mean brightness of each tenth of the frames."""
    frame = _read(sample.TRUTH, 1)[0, 60:188, 160:288]
    clean = np.broadcast_to(frame, (options.drift, *frame.shape))
    noisy = add_noise(clean, options.sigma, "drift")
    result = vdiff_jax.repair(noisy, task="denoise", sigma=options.sigma, weights=options.weights)
    tenth = max(1, options.drift // 10)
    for start in range(0, options.drift, tenth):
        part = result[start : start + tenth].astype(float)
        quality = 10 * np.log10(255**2 / np.square(part - frame).mean())
        print(
            f"from frame {start:5d}: {quality:.2f} dB, mean brightness {part.mean() - frame.mean():+.3f} from the truth"
        )


def _read(path: Path, count: int) -> np.ndarray:
    with open_reader(path) as reader:
        shown = [to_rgb(frame.planes, reader.info.pixels) for frame in itertools.islice(reader, count)]
    return np.clip(np.rint(255 * np.stack(shown)), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
