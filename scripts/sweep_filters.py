"""Looks for the best settings of FFmpeg's denoisers on a folder of clips, so that the benchmark is fair to them.

python scripts/sweep_filters.py CLIPS [--filters nlmeans,dctdnoiz] [--sigmas 10,25,50] [--frames 4] [--top 3]

Prints the settings with the highest mean PSNR for each filter and sigma; `peers/ffmpeg.py` holds the outcome.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from benchmarking.problems import add_noise
from benchmarking.scenes import find_scenes, read_scene
from benchmarking.scores import psnr
from peers.ffmpeg import run_filter


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--filters", type=lambda text: text.split(","), default=list(GRIDS))
    parser.add_argument("--sigmas", type=lambda text: [float(s) for s in text.split(",")], default=[10.0, 25.0, 50.0])
    parser.add_argument("--scenes", type=lambda text: text.split(","))
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--top", type=int, default=3)
    options = parser.parse_args()
    found = find_scenes(options.clips)
    scenes = {name: read_scene(found[name], options.frames, (640, 360)) for name in options.scenes or found}
    for name, sigma in itertools.product(options.filters, options.sigmas):
        noisy = {scene: add_noise(clean, sigma, scene) for scene, clean in scenes.items()}
        tried = []
        for graph in GRIDS[name](sigma):
            results = [psnr(run_filter(graph, noisy[scene])[0], clean) for scene, clean in scenes.items()]
            tried.append((float(np.mean(results)), graph))
        for quality, graph in sorted(tried, reverse=True)[: options.top]:
            print(f"{sigma:g} {quality:.2f} dB {graph}", flush=True)


def _hqdn3d(sigma: float) -> Iterator[str]:
    for spatial, temporal, colour in itertools.product((0.6, 1.1, 1.6, 2.0, 2.5), (0.3, 0.5, 0.7), (1.2, 1.5)):
        luma = f"{spatial * sigma:g}", f"{temporal * sigma:g}"
        chroma = f"{spatial * colour * sigma:g}", f"{temporal * colour * sigma:g}"
        yield f"format=yuv444p,hqdn3d={luma[0]}:{chroma[0]}:{luma[1]}:{chroma[1]}"


def _vaguedenoiser(sigma: float) -> Iterator[str]:
    for pixels, factor, percent in itertools.product(("gbrp", "yuv444p"), (1.0, 1.5, 2.0, 2.5), (85, 100)):
        yield f"format={pixels},vaguedenoiser=threshold={factor * sigma:g}:method=2:percent={percent}"


def _nlmeans(sigma: float) -> Iterator[str]:
    for pixels, factor, patch in itertools.product(("gbrp", "yuv444p"), (0.2, 0.25, 0.3, 0.4, 0.5, 0.6), (3, 5, 7)):
        if 1 <= factor * sigma <= 30:
            yield f"format={pixels},nlmeans=s={factor * sigma:g}:p={patch}:r=11"


def _dctdnoiz(sigma: float) -> Iterator[str]:
    for factor, size in itertools.product((0.9, 1.0, 1.1, 1.2), (3, 4)):
        yield f"format=rgb24,dctdnoiz=sigma={factor * sigma:g}:n={size}"


GRIDS = {"hqdn3d": _hqdn3d, "vaguedenoiser": _vaguedenoiser, "nlmeans": _nlmeans, "dctdnoiz": _dctdnoiz}

if __name__ == "__main__":
    main()
