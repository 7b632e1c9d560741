"""Fits the weights of forward and backward runs (`--quality best`), by the number of frames that a run has seen.

    python scripts/fit_directions.py VIDEOS --task denoise

Each video's first frames are damaged and restored, forward and backward. For each number of frames before a frame it
prints the weight of the forward run that gives the least squared error, and the confidence that
`restoration/both_directions.py` holds: the ratio of that weight to the backward run's.
"""

import argparse
import dataclasses
import itertools
from pathlib import Path

import numpy as np

from vdiff_jax import media
from vdiff_jax.errors import VdiffError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.resample import reduce
from vdiff_jax.restoration import both_directions
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.pipeline import restored_frames
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.restoration.restorer import Restorer
from vdiff_jax.tasks.request import Request
from vdiff_jax.weights import load

PIXELS = PixelFormat(kind="rgb", full_range=True)
FRAMES = 14
"""Frames a video: twice the number of frames that the weight depends on."""


def main() -> None:
    """Prints a row for each video, and the fit over all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, help="a folder of clean videos")
    parser.add_argument("--task", choices=("denoise", "superres"), default="denoise", help="default: %(default)s")
    parser.add_argument("--sigma", type=float, default=25, help="noise for denoise (default: %(default)s)")
    parser.add_argument("--scale", type=int, default=4, help="factor for superres (default: %(default)s)")
    parser.add_argument("--count", type=int, default=8, help="number of videos (default: %(default)s)")
    options = parser.parse_args()
    total = np.zeros((FRAMES, 3))
    files = sorted(options.videos.iterdir())
    for file in files[:: max(1, len(files) // options.count)]:
        clip = crop_of(file)
        if clip is None:
            continue
        moments = moments_of(clip, options)
        total += moments / moments.mean()
        print(f"{file.stem:24}", np.round(weight(moments), 2))
    found = weight(total)
    half = (found + 1 - found[::-1])[: FRAMES // 2] / 2
    print("weight", np.round(half, 2), "confidence", np.round(half / (1 - half), 2))


def crop_of(file: Path) -> np.ndarray | None:
    """The middle 256×192 pixels of the first frames, `t h w 3` uint8; `None` if the file has fewer or smaller ones."""
    try:
        with media.open_reader(file) as reader:
            pixels = reader.info.pixels
            pictures = [media.picture_of(f.planes, pixels, deep=False) for f in itertools.islice(reader, FRAMES)]
    except VdiffError:
        return None
    if len(pictures) < FRAMES or pictures[0].ndim != 3 or min(pictures[0].shape[:2]) < 192:
        return None
    clip = np.stack(pictures)
    top, left = (clip.shape[1] - 192) // 2, (clip.shape[2] - 256) // 2
    return clip[:, top : top + 192, left : left + 256]


def moments_of(clip: np.ndarray, options: argparse.Namespace) -> np.ndarray:
    """For each frame the mean square of the forward run's error, of the backward run's, and their mean product."""
    if options.task == "denoise":
        noise = options.sigma * np.random.default_rng(1).normal(size=clip.shape)
        damaged, chosen = clip + noise, {"sigma": options.sigma}
    else:
        damaged, chosen = (
            255 * np.asarray(reduce(clip.astype(np.float32) / 255, options.scale)),
            {"scale": options.scale, "sigma": 0},
        )
    frames = [
        Frame(tuple(np.moveaxis(f, -1, 0)), n) for n, f in enumerate(np.clip(np.rint(damaged), 0, 255).astype(np.uint8))
    ]
    plan = make_plan(options.task, Request(frames=frames[:5], pixels=PIXELS, **chosen))
    plan = dataclasses.replace(plan, finish=())
    restorer = both_directions.BothDirections(Restorer(load(plan.weights), plan.conversion, plan.sigma_of))
    runs: list[tuple[np.ndarray, np.ndarray]] = []
    merge = both_directions.merge

    def recorded(forward, reverse, **seen):
        runs.append(tuple(np.stack(planes, axis=-1).astype(np.float32) for planes in (forward, reverse)))
        return merge(forward, reverse, **seen)

    both_directions.merge = recorded
    try:
        list(restored_frames(Footage(frames, itertools.repeat(None), PIXELS), plan, restorer))
    finally:
        both_directions.merge = merge
    one, other = (np.concatenate(run) - clip for run in zip(*runs))
    return np.stack([np.mean(p, axis=(1, 2, 3)) for p in (one**2, other**2, one * other)], axis=-1)


def weight(moments: np.ndarray) -> np.ndarray:
    """The forward run's weight with the least squared error."""
    forward, reverse, product = moments.T
    return (reverse - product) / (forward + reverse - 2 * product)


if __name__ == "__main__":
    main()
