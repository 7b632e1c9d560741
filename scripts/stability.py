"""Does a repaired video flicker more than its truth, and does it stay where it is for 2,000 frames?

    python scripts/stability.py CLIPS [--task denoise|deblock|superres --variants 25] [--weights base] [--frames 20]
    python scripts/stability.py --drift 2000 [--sigma 25]

The first form repairs every scene of CLIPS, damaged as `benchmark.py` does it, and prints how much the result changes
from frame to frame over how much the truth does: where the truth stands still (around a pixel it changes by less than 2
levels), and along the truth's DIS flow. A ratio above 1.05 is flicker that was added.

The second repairs one frame of the sample, shown again and again under new noise, and prints PSNR and the mean level in
steps of a tenth: both are to stay.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import cv2
import jax.numpy as jnp
import numpy as np
from benchmarking.problems import add_noise, make_problem
from benchmarking.scenes import find_scenes, read_scene, write_frames

import vdiff_jax
from vdiff_jax import metrics, sample
from vdiff_jax.media import open_reader
from vdiff_jax.media.colour import to_rgb

STILL = 2 / 255
"""What changes by less from frame to frame, in the mean around it, stands still."""
_AROUND = (9, 9)
"""Pixels: a single one may stand as it was by chance."""


def main() -> None:
    """Prints what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, nargs="?")
    parser.add_argument("--task", default="denoise", choices=("denoise", "deblock", "superres"))
    parser.add_argument("--variants", type=lambda text: text.split(","), default=["25"], help="sigmas, crfs, x2 or x4")
    parser.add_argument("--scenes", type=lambda text: text.split(","))
    parser.add_argument("--weights", default="base")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--drift", type=int, metavar="FRAMES")
    parser.add_argument("--sigma", type=float, default=25)
    options = parser.parse_args()
    if options.drift:
        drift(options)
    elif options.clips:
        flicker(options)
    else:
        parser.error("pass CLIPS, or --drift FRAMES")


def flicker(options: argparse.Namespace) -> None:
    """Prints a line a scene, and the means."""
    found = find_scenes(options.clips)
    print("| scene | still | along the flow |\n|---|---|---|")
    ratios = []
    for variant, name in itertools.product(options.variants, options.scenes or found):
        clean = read_scene(found[name], options.frames, (640, 360))
        with tempfile.TemporaryDirectory() as folder:
            result = _repaired(options, variant, name, clean, Path(folder))
        clean = clean[:, : result.shape[1], : result.shape[2]]  # what a factor leaves over is cut
        flow = _flow(clean)
        changes = [_changes(clip, clean, flow) for clip in (result, clean)]
        ratios.append(changes[0] / np.maximum(changes[1], 1e-6))
        print(f"| {name} {variant} | {ratios[-1][0]:.3f} | {ratios[-1][1]:.3f} |", flush=True)
    mean = np.nanmean(ratios, axis=0)
    print(f"| mean | {mean[0]:.3f} | {mean[1]:.3f} |")


def _repaired(options: argparse.Namespace, variant: str, name: str, clean: np.ndarray, folder: Path) -> np.ndarray:
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
    """The mean change from frame to frame where the truth stands still (NaN if nowhere), and along the flow."""
    clip, clean = (np.asarray(c, np.float32) / 255 for c in (clip, clean))
    largest = np.abs(np.diff(clean, axis=0)).max(axis=-1)
    still = jnp.asarray([cv2.blur(change, _AROUND) < STILL for change in largest])[..., None]
    own = metrics.temporal_difference_error(jnp.asarray(clip), jnp.zeros(clip.shape), where=still)
    return np.array([own, metrics.warping_error(jnp.asarray(clip), jnp.asarray(flow))])


def _flow(clean: np.ndarray) -> np.ndarray:
    meter = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in clean]
    return np.stack([meter.calc(*pair, None) for pair in itertools.pairwise(grey)])


def drift(options: argparse.Namespace) -> None:
    """Prints a line for each tenth of the frames."""
    frame = _read(sample.TRUTH, 1)[0, 60:188, 160:288]
    clean = np.broadcast_to(frame, (options.drift, *frame.shape))
    noisy = add_noise(clean, options.sigma, "drift")
    result = vdiff_jax.repair(noisy, task="denoise", sigma=options.sigma, weights=options.weights)
    tenth = max(1, options.drift // 10)
    for start in range(0, options.drift, tenth):
        part = result[start : start + tenth].astype(float)
        quality = 10 * np.log10(255**2 / np.square(part - frame).mean())
        print(f"frames {start:5d} on: {quality:.2f} dB, mean level {part.mean() - frame.mean():+.3f} of the truth's")


def _read(path: Path, count: int) -> np.ndarray:
    with open_reader(path) as reader:
        shown = [to_rgb(frame.planes, reader.info.pixels) for frame in itertools.islice(reader, count)]
    return np.clip(np.rint(255 * np.stack(shown)), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
