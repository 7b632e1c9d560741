"""Looks for the best settings of FFmpeg's filters on a folder of clips, so that the benchmark is fair to them.

python scripts/sweep_filters.py CLIPS [--filters nlmeans,dctdnoiz] [--sigmas 10,25,50] [--frames 4] [--top 3]
python scripts/sweep_filters.py CLIPS --filters spp,fspp,deblock [--crfs 28,33,38] [--frames 10]

Prints the settings with the highest mean PSNR for each filter and sigma or crf; `peers/ffmpeg.py` holds the outcome.
"""

import argparse
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from benchmarking import streams
from benchmarking.problems import CRFS, add_noise
from benchmarking.scenes import find_scenes, read_scene
from benchmarking.scores import psnr
from peers.ffmpeg import run_filter


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--filters", type=lambda text: text.split(","), default=[*GRIDS, *DEBLOCKERS])
    parser.add_argument("--sigmas", type=lambda text: [float(s) for s in text.split(",")], default=[10.0, 25.0, 50.0])
    parser.add_argument("--crfs", type=lambda text: text.split(","), default=list(CRFS))
    parser.add_argument("--scenes", type=lambda text: text.split(","))
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--top", type=int, default=3)
    options = parser.parse_args()
    found = find_scenes(options.clips)
    scenes = {name: read_scene(found[name], options.frames, (640, 360)) for name in options.scenes or found}
    for name, sigma in itertools.product([name for name in options.filters if name in GRIDS], options.sigmas):
        noisy = {scene: add_noise(clean, sigma, scene) for scene, clean in scenes.items()}
        tried = _tried(GRIDS[name](sigma), scenes, lambda scene, graph, noisy=noisy: run_filter(graph, noisy[scene])[0])
        _print_best(f"{sigma:g}", tried, options.top)
    for name, crf in itertools.product([name for name in options.filters if name in DEBLOCKERS], options.crfs):
        with tempfile.TemporaryDirectory() as folder:
            coded = {scene: Path(folder) / f"{scene}.mkv" for scene in scenes}
            for scene, clean in scenes.items():
                streams.encode(clean, crf, coded[scene])
            tried = _tried(
                DEBLOCKERS[name](),
                scenes,
                lambda scene, graph, coded=coded: streams.decode(coded[scene], scenes[scene].shape, graph),
            )
            _print_best(f"crf {crf}", tried, options.top)


def _tried(
    graphs: Iterator[str], scenes: dict[str, np.ndarray], run: Callable[[str, str], np.ndarray]
) -> list[tuple[float, str]]:
    """The mean PSNR that each filter graph reaches."""
    return [(float(np.mean([psnr(run(s, graph), clean) for s, clean in scenes.items()])), graph) for graph in graphs]


def _print_best(problem: str, tried: list[tuple[float, str]], count: int) -> None:
    for quality, graph in sorted(tried, reverse=True)[:count]:
        print(f"{problem} {quality:.2f} dB {graph}", flush=True)


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


def _spp() -> Iterator[str]:
    for mode, bframes, quality in itertools.product(("hard", "soft"), (0, 1), (4, 6)):
        yield f"spp=quality={quality}:mode={mode}:use_bframe_qp={bframes}"
    for mode, qp in itertools.product(("hard", "soft"), (2, 4, 6, 8, 12, 16)):
        yield f"spp=quality=6:mode={mode}:qp={qp}"


def _fspp() -> Iterator[str]:
    for strength, bframes in itertools.product((-15, -12, -8, -4, 0), (0, 1)):
        yield f"fspp=quality=5:strength={strength}:use_bframe_qp={bframes}"
    for qp in (2, 4, 6, 8, 12):
        yield f"fspp=quality=5:qp={qp}"


def _deblock() -> Iterator[str]:
    for kind, block, share in itertools.product(("weak", "strong"), (4, 8), (0.1, 0.25, 0.5, 1.0)):
        thresholds = f"alpha={0.098 * share:g}:beta={0.05 * share:g}:gamma={0.05 * share:g}:delta={0.05 * share:g}"
        yield f"deblock=filter={kind}:block={block}:{thresholds}"


DEBLOCKERS = {"spp": _spp, "fspp": _fspp, "deblock": _deblock}
GRIDS = {"hqdn3d": _hqdn3d, "vaguedenoiser": _vaguedenoiser, "nlmeans": _nlmeans, "dctdnoiz": _dctdnoiz}

if __name__ == "__main__":
    main()
