"""Fits the Wiener step (`vdiff_jax/postprocess/wiener.py`) of a network, and writes it to its file of weights.

    python scripts/fit_wiener.py deblock|denoise CLIPS WEIGHTS [--frames 8] [--exclude A,B]

Damages the first frames of the videos in CLIPS, which should be those that the weights were trained on: by x264 and
x265 at several rates, or by white noise in R'G'B' and in 4:2:0. Restores them with the network of WEIGHTS. Finds by
least squares the conductivities that bring the result nearest to the truth, each as a line over log2 of luma's error;
and the error that the network leaves, as lines, too. Each frame counts by its relative error.
Prints for each kind of damage the gain in PSNR of Y', Cb and Cr (or R', G' and B'): of the network, and with the step.
"""

import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from benchmarking.arguments import new_parser, words
from benchmarking.scenes import find_scenes, read_scene

from vdiff_jax import weights
from vdiff_jax.compression.samples import Sample
from vdiff_jax.compression.wiener_fit import Moments, moments
from vdiff_jax.corruption.coding import STORED, planes_of_rgb
from vdiff_jax.media.recode import recode
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.wiener import REFERENCE_ERROR, WienerModel, spans
from vdiff_jax.postprocess.wiener_operators import OPERATORS
from vdiff_jax.restoration.arrays import repair_frames
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.runtime.caches import use_compilation_cache
from vdiff_jax.tasks.request import Request

SIZE = [640, 360]
CODINGS = [("h264", crf) for crf in ("24", "28", "33", "38")] + [("hevc", crf) for crf in ("26", "32", "38")]
PRESETS = {"h264": {"preset": "medium"}, "hevc": {"preset": "fast", "x265-params": "log-level=none:pools=none"}}
SIGMAS = (10, 25, 50)
RGB = PixelFormat(kind="rgb", full_range=True)
ALONE = np.tile(np.eye(OPERATORS)[-1], (3, 1))
"""The operators' weights that leave the network's result as it is."""


class Damaged(NamedTuple):
    """A clip before and after damage, and the options that the plan is given for it."""

    name: str
    source: list[Frame]
    given: list[Frame]
    pixels: PixelFormat
    options: dict


class Measured(NamedTuple):
    """What the network left of a clip's damage.

    Attributes:
      name: of the damage.
      pixels: the clip's pixel format.
      heights: log2 of each plane's error over `REFERENCE_ERROR`.
      left: log2 of each plane's error after the network, in 8-bit units.
      found: the moments of the operators, for the least squares fit.
    """

    name: str
    pixels: PixelFormat
    heights: np.ndarray
    left: np.ndarray
    found: Moments


def main() -> None:
    """Prints the gains and rewrites the file of weights."""
    parser = new_parser(__doc__)
    parser.add_argument("task", choices=["deblock", "denoise"], help="the damage to fit for")
    parser.add_argument("clips", type=Path, help="a folder of videos and folders of pictures")
    parser.add_argument("weights", type=Path, help="the .safetensors file, which is rewritten")
    parser.add_argument("--frames", type=int, default=8, help="frames of a scene (default: 8)")
    parser.add_argument("--exclude", type=words, default=[], metavar="A,B", help="names of scenes to leave out")
    options = parser.parse_args()
    use_compilation_cache()
    network = weights.load(options.weights)
    config = network.config
    about = {key: value for key, value in network.about.items() if key not in ("spread", "network", "format")}
    scenes = {name: path for name, path in find_scenes(options.clips).items() if name not in options.exclude}
    damage = {"deblock": coded, "denoise": noisy}[options.task]
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / options.weights.name  # the weights without a Wiener step
        weights.save(bare, config, network.params, about)
        rows = [
            measured(options.task, clip, str(bare))
            for path in scenes.values()
            for clip in damage(read_scene(path, options.frames, SIZE))
        ]
    fitted = fit(rows)
    for name in dict.fromkeys(row.name for row in rows):
        these = [row for row in rows if row.name == name]
        before = np.mean([row.found.gain(ALONE) for row in these], axis=0)
        after = np.mean([row.found.gain(at(fitted, row)) for row in these], axis=0)
        print(name, before.round(3).tolist(), after.round(3).tolist())
    lines = {name: line.round(4).tolist() for name, line in fitted._asdict().items()}
    weights.save(options.weights, config, network.params, {**about, "spread": json.dumps(lines)})


def coded(frames: np.ndarray) -> Iterator[Damaged]:
    """The clip coded at several rates."""
    source = stored(frames / 255)
    for codec, crf in CODINGS:
        given = recode(source, STORED, codec, {**PRESETS[codec], "crf": crf}).frames
        yield Damaged(f"{codec} {crf}", source, given, STORED, {"sigma": None, "codec": codec})


def noisy(frames: np.ndarray) -> Iterator[Damaged]:
    """The clip with white noise of several sigmas, as 4:2:0 and as R'G'B'."""
    for sigma in SIGMAS:
        noise = np.random.default_rng(sigma).normal(0, sigma, frames.shape)
        given = np.clip(np.rint(frames + noise), 0, 255).astype(np.uint8)
        yield Damaged(f"{sigma} 4:2:0", stored(frames / 255), stored(given / 255), STORED, {"sigma": sigma})
        split = [[Frame(tuple(np.moveaxis(f, -1, 0)), n) for n, f in enumerate(clip)] for clip in (frames, given)]
        yield Damaged(f"{sigma} R'G'B'", *split, RGB, {"sigma": sigma})


def stored(clip: np.ndarray) -> list[Frame]:
    """An R'G'B' clip `t h w 3` in [0, 1] as frames of 4:2:0."""
    return [Frame(planes_of_rgb(frame.astype(np.float32)), n) for n, frame in enumerate(clip)]


def measured(task: str, clip: Damaged, name: str) -> Measured:
    """Restores a clip, and measures what is left."""
    plan = make_plan(task, Request(frames=clip.given, pixels=clip.pixels, weights=name, **clip.options))
    restored = list(repair_frames(Footage(clip.given, itertools.repeat(None), clip.pixels), plan))
    pairs = [zip(one.planes, other.planes) for one, other in zip(restored, clip.source)]
    left = np.sqrt(np.mean([[np.mean((a - b.astype(np.float32)) ** 2) for a, b in pair] for pair in pairs], axis=0))
    found = moments(Sample(clip.source, clip.given, slice(None)), restored, clip.pixels, left)
    heights = np.log2(255 * plan.sigma_of_planes(clip.pixels) / REFERENCE_ERROR)
    return Measured(clip.name, clip.pixels, heights, np.log2(255 * left / spans(clip.pixels)), found)


def at(fitted: WienerModel, row: Measured) -> np.ndarray:
    """The fitted conductivities for the error of a clip."""
    found = fitted.conductivities[0] + row.heights[0] * fitted.conductivities[1]
    return (found[[0, 0, 0]] if row.pixels.kind == "rgb" else found) + ALONE


def fit(rows: list[Measured]) -> WienerModel:
    """The lines that fit all clips best."""
    free = OPERATORS - 1
    left, right = np.zeros((3, 2 * free, 2 * free)), np.zeros((3, 2 * free))
    points: list[list[tuple[float, float]]] = [[], [], []]
    for row, channel in itertools.product(rows, range(3)):
        line, found = np.array([1.0, row.heights[0]]), row.found
        to = 0 if row.pixels.kind == "rgb" else channel
        frames = 1 / (found.error_after(ALONE)[:, channel] + 1e-2)
        gram = np.einsum("n,nkl->kl", frames, found.gram[:, channel])
        cross = frames @ found.cross[:, channel]
        left[to] += np.kron(np.outer(line, line), gram[:free, :free])
        right[to] -= np.kron(line, cross[:free] + gram[:free, free])
        points[to].append((row.heights[channel], row.left[channel]))
    ridge = 1e-7 * np.trace(left, axis1=1, axis2=2)[:, None, None] / left.shape[-1] * np.eye(2 * free)
    fitted = np.linalg.solve(left + ridge, right[..., None]).reshape(3, 2, free).swapaxes(0, 1)
    slopes = np.array([np.polyfit(*np.array(pairs).T, 1)[::-1] for pairs in points]).T
    return WienerModel(slopes, np.concatenate([fitted, np.zeros((2, 3, 1))], axis=-1))


if __name__ == "__main__":
    main()
