"""Measures the speed of `vdiff repair` from video file to video file.

    python scripts/speed.py CLIP [--weights base,fast] [--frames 240]

CLIP is reduced to fit 640×360 and damaged for each task. Prints `frames_per_second` of each command's `--report`, which
counts everything but start-up and compilation. For superres and interpolate these are frames of the result.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from benchmarking.arguments import new_parser, words
from benchmarking.problems import add_noise, cover, holes, reduce
from benchmarking.scenes import read_scene, write_frames
from benchmarking.streams import encode


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
    options = parser.parse_args()
    clean = read_scene(options.clip, options.frames, (640, 360))
    with tempfile.TemporaryDirectory() as folder:
        jobs = damaged(clean, Path(folder))
        print(f"{len(clean)} frames | {' | '.join(jobs)}")
        for weights in options.weights:
            speeds = [measure([*job, "--weights", weights], Path(folder)) for job in jobs.values()]
            print(f"{weights} | {' | '.join(f'{speed:.1f}' for speed in speeds)}", flush=True)


def damaged(clean: np.ndarray, folder: Path) -> dict[str, list[str]]:
    """The arguments of `repair` for each job. The damaged videos are written to the folder."""
    mask = holes("logo", "speed", clean.shape[:3])
    write_frames(folder / "mask", mask[:1])
    videos = {
        "noisy": (add_noise(clean, 20, "speed"), "10"),
        "coded": (clean, "33"),
        "half": (reduce(clean, 2), "10"),
        "quarter": (reduce(clean, 4), "10"),
        "logo": (cover(clean, mask, "logo"), "10"),
        "clean": (clean[: len(clean) // 2], "10"),
    }
    for name, (frames, crf) in videos.items():
        encode(frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2], crf, folder / f"{name}.mp4")
    options = {
        "denoise": ["noisy", "--sigma", "20"],
        "deblock": ["coded"],
        "superres x2": ["half", "--scale", "2"],
        "superres x4": ["quarter", "--scale", "4"],
        "inpaint": ["logo", "--mask", f"{folder}/mask/00000.png"],
        "interpolate": ["clean", "--slow", "2"],
    }
    return {job: [f"{folder}/{video}.mp4", "--task", job.split()[0], *rest] for job, (video, *rest) in options.items()}


def measure(arguments: list[str], folder: Path) -> float:
    """The frames a second of one `repair` command."""
    command = [sys.executable, "-m", "vdiff_jax.infer", "repair", *arguments, "-o", f"{folder}/result.mp4"]
    subprocess.run([*command, "--quiet", "--report", f"{folder}/report.json"], check=True)
    return json.loads((folder / "report.json").read_text())["frames_per_second"]


if __name__ == "__main__":
    main()
