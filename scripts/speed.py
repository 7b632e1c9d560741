"""Measures the speed of `vdiff repair` from video file to video file.

    python scripts/speed.py CLIP [--weights base,fast] [--frames 240] [--backend jax,onnx] [--rounds 3]

CLIP is reduced to fit 640×360 and damaged for each task. Prints `frames_per_second` of each command's `--report`, which
counts everything but start-up and compilation. For superres and interpolate these are frames of the result.
Backends take turns; each figure is the best of the rounds. The last rows are filters of FFmpeg (PyPI imageio-ffmpeg) in
two threads, on the same files and with the same encoder. They include FFmpeg's start-up, about a tenth of a second.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from benchmarking.arguments import new_parser, words
from benchmarking.problems import add_noise, cover, holes, reduce
from benchmarking.scenes import read_scene, write_frames
from benchmarking.streams import encode, ffmpeg
from peers.ffmpeg import MINTERPOLATE, PEERS, Deblocker, Filter, delogo_graph

from vdiff_jax import media

SIGMA, CRF = 20, 33
"""The noise and the quality of coding that are removed."""


def main() -> None:
    """Measures and prints a row for each set of weights."""
    parser = new_parser(__doc__)
    parser.add_argument("clip", type=Path, help="a video or a folder of pictures")
    parser.add_argument(
        "--weights",
        type=words,
        default=["base", "fast"],
        metavar="A,B",
        help="names or files of weights (default: base,fast)",
    )
    parser.add_argument("--frames", type=int, default=240, help="frames of the clip (default: 240)")
    parser.add_argument(
        "--backend", type=words, default=["jax"], metavar="A,B", help="what runs the network (default: jax)"
    )
    parser.add_argument("--tasks", type=words, metavar="A,B", help="these tasks alone (default: all)")
    parser.add_argument("--rounds", type=int, default=1, help="how often each command runs (default: 1)")
    options = parser.parse_args()
    clean = read_scene(options.clip, options.frames, (640, 360))
    with tempfile.TemporaryDirectory() as folder:
        commands = {n: words for n, words in damaged(clean, Path(folder)).items() if n in (options.tasks or [n])}
        print(f"{len(clean)} frames | {' | '.join(commands)}")
        for weights in options.weights:
            best = {backend: dict.fromkeys(commands, 0.0) for backend in options.backend}
            for _ in range(options.rounds):
                for name, arguments in commands.items():
                    for backend, speeds in best.items():
                        speed = measure([*arguments, "--weights", weights, "--backend", backend], Path(folder))
                        speeds[name] = max(speeds[name], speed)
            for backend, speeds in best.items():
                row = " | ".join(f"{speed:.2f}" for speed in speeds.values())
                print(f"{weights}, {backend} | {row}", flush=True)
        for name, (task, graph) in filters(Path(folder)).items():
            if task in commands:
                cells = [measure_filter(graph, commands[task][0], folder) if each == task else "-" for each in commands]
                print(f"ffmpeg {name} | {' | '.join(cells)}", flush=True)


def filters(folder: Path) -> dict[str, tuple[str, str]]:
    """For each filter of FFmpeg: its task, and its filter graph."""
    graphs = {"delogo": ("inpaint", delogo_graph(read_mask(folder))), "minterpolate": ("interpolate", MINTERPOLATE)}
    for peer in PEERS:
        if isinstance(peer, Filter | Deblocker):
            graphs[peer.name] = peer.task, peer.settings(SIGMA if peer.task == "denoise" else CRF)
    return graphs


def read_mask(folder: Path) -> np.ndarray:
    """The mask of the logo, `h w`."""
    return cv2.imread(f"{folder}/mask/00000.png", cv2.IMREAD_GRAYSCALE) > 0


def measure_filter(graph: str, source: str, folder: str) -> str:
    """The frames a second of a filter, from video file to video file."""
    target = Path(folder, "filtered.mp4")
    encoder = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "10", "-pix_fmt", "yuv420p"]
    quantisers = ["-export_side_data", "venc_params"]
    begun = time.perf_counter()
    ffmpeg([*quantisers, "-i", source, "-vf", graph, *encoder, str(target)])
    seconds = time.perf_counter() - begun
    with media.open_reader(target) as reader:
        return f"{sum(1 for _ in reader) / seconds:.2f}"


def damaged(clean: np.ndarray, folder: Path) -> dict[str, list[str]]:
    """The arguments of `repair` for each task. The damaged videos are written to the folder."""
    mask = holes("logo", "speed", clean.shape[:3])
    write_frames(folder / "mask", mask[:1])
    videos = {
        "noisy": (add_noise(clean, SIGMA, "speed"), "10"),
        "coded": (clean, f"{CRF}"),
        "half": (reduce(clean, 2), "10"),
        "quarter": (reduce(clean, 4), "10"),
        "logo": (cover(clean, mask, "logo"), "10"),
        "clean": (clean[: len(clean) // 2], "10"),
    }
    for name, (frames, crf) in videos.items():
        encode(frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2], crf, folder / f"{name}.mp4")
    options = {
        "denoise": ["noisy", "--sigma", f"{SIGMA}"],
        "deblock": ["coded"],
        "superres x2": ["half", "--scale", "2"],
        "superres x4": ["quarter", "--scale", "4"],
        "inpaint": ["logo", "--mask", f"{folder}/mask/00000.png"],
        "interpolate": ["clean", "--slow", "2"],
    }
    return {row: [f"{folder}/{video}.mp4", "--task", row.split()[0], *rest] for row, (video, *rest) in options.items()}


def measure(arguments: list[str], folder: Path) -> float:
    """The frames a second of one `repair` command."""
    command = [sys.executable, "-m", "vdiff_jax.infer", "repair", *arguments, "-o", f"{folder}/result.mp4"]
    subprocess.run([*command, "--quiet", "--report", f"{folder}/report.json"], check=True)
    return json.loads((folder / "report.json").read_text())["frames_per_second"]


if __name__ == "__main__":
    main()
