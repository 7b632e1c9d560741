"""Searches the best settings of FFmpeg's filters on a folder of clips, so that the benchmark is fair to them.

    python scripts/sweep_filters.py CLIPS [--filters nlmeans,dctdnoiz] [--sigmas 10,25,50] [--frames 4] [--top 3]
    python scripts/sweep_filters.py CLIPS --filters spp,fspp,deblock [--crfs 28,33,38] [--frames 10]

Prints for each filter, and each sigma or crf, the settings with the highest mean PSNR. Enter them in `peers/ffmpeg.py`.
"""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from benchmarking import streams
from benchmarking.arguments import new_parser, numbers, words
from benchmarking.problems import CRFS, add_noise
from benchmarking.scenes import find_scenes, read_scene
from benchmarking.scores import psnr


def main() -> None:
    """Searches, and prints the best settings."""
    parser = new_parser(__doc__)
    parser.add_argument("clips", type=Path, help="a folder of videos and folders of pictures")
    parser.add_argument(
        "--filters",
        type=words,
        default=[*DENOISERS, *DEBLOCKERS],
        metavar="A,B",
        help=f"some of {', '.join([*DENOISERS, *DEBLOCKERS])} (default: all)",
    )
    parser.add_argument(
        "--sigmas", type=numbers, default=[10.0, 25.0, 50.0], metavar="A,B", help="of the noise (default: 10,25,50)"
    )
    parser.add_argument("--crfs", type=words, default=list(CRFS), metavar="A,B", help="of x264 (default: 28,33,38)")
    parser.add_argument("--scenes", type=words, metavar="A,B", help="names of scenes (default: all)")
    parser.add_argument("--frames", type=int, default=4, help="frames of a scene (default: 4)")
    parser.add_argument("--top", type=int, default=3, help="settings to print for each filter (default: 3)")
    options = parser.parse_args()
    found = find_scenes(options.clips, options.scenes)
    scenes = {name: read_scene(path, options.frames, (640, 360)) for name, path in found.items()}
    for name, sigma in itertools.product([name for name in options.filters if name in DENOISERS], options.sigmas):
        noisy = {scene: add_noise(clean, sigma, scene) for scene, clean in scenes.items()}
        scored = _scored(
            DENOISERS[name](sigma), scenes, lambda scene, graph, noisy=noisy: streams.run_filter(graph, noisy[scene])[0]
        )
        _print_best(f"{sigma:g}", scored, options.top)
    for name, crf in itertools.product([name for name in options.filters if name in DEBLOCKERS], options.crfs):
        with tempfile.TemporaryDirectory() as folder:
            coded = {scene: Path(folder) / f"{scene}.mkv" for scene in scenes}
            for scene, clean in scenes.items():
                streams.encode(clean, crf, coded[scene])
            scored = _scored(
                DEBLOCKERS[name](),
                scenes,
                lambda scene, graph, coded=coded: streams.decode(coded[scene], scenes[scene].shape, graph),
            )
            _print_best(f"crf {crf}", scored, options.top)


def _scored(
    graphs: Iterator[str], scenes: dict[str, np.ndarray], run: Callable[[str, str], np.ndarray]
) -> list[tuple[float, str]]:
    """The mean PSNR of each filter graph over the scenes, with the graph."""
    return [(float(np.mean([psnr(run(s, graph), clean) for s, clean in scenes.items()])), graph) for graph in graphs]


def _print_best(problem: str, scored: list[tuple[float, str]], count: int) -> None:
    for quality, graph in sorted(scored, reverse=True)[:count]:
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
DENOISERS = {"hqdn3d": _hqdn3d, "vaguedenoiser": _vaguedenoiser, "nlmeans": _nlmeans, "dctdnoiz": _dctdnoiz}

if __name__ == "__main__":
    main()
