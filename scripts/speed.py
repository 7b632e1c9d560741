"""How fast is `infer repair` here, from video file to video file?

    python scripts/speed.py CLIP [--weights base,fast] [--frames 240]

CLIP, a video or a folder of pictures, is reduced to 640×360 at most and damaged; prints `frames_per_second` of each
task's `--report`: of all the command does but start-up and compilation. For superres the frames are the result's.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from benchmarking.problems import add_noise, cover, holes, reduce
from benchmarking.scenes import read_scene, write_frames
from benchmarking.streams import encode


def main() -> None:
    """Prints a row for each set of weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--weights", type=lambda text: text.split(","), default=["base", "fast"])
    parser.add_argument("--frames", type=int, default=240)
    options = parser.parse_args()
    clean = read_scene(options.clip, options.frames, (640, 360))
    with tempfile.TemporaryDirectory() as folder:
        jobs = damaged(clean, Path(folder))
        print(f"{len(clean)} frames | {' | '.join(jobs)}")
        for weights in options.weights:
            speeds = [measure([*job, "--weights", weights], Path(folder)) for job in jobs.values()]
            print(f"{weights} | {' | '.join(f'{speed:.1f}' for speed in speeds)}", flush=True)


def damaged(clean: np.ndarray, folder: Path) -> dict[str, list[str]]:
    """The arguments of each job, its video written to the folder."""
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
    """Frames a second of one run."""
    command = [sys.executable, "-m", "vdiff_jax.infer", "repair", *arguments, "-o", f"{folder}/result.mp4"]
    subprocess.run([*command, "--quiet", "--report", f"{folder}/report.json"], check=True)
    return json.loads((folder / "report.json").read_text())["frames_per_second"]


if __name__ == "__main__":
    main()
