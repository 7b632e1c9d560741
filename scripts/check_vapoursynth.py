"""Checks that VapourSynth requests in any order give the pictures of the command line.

    python scripts/check_vapoursynth.py [CLIP]

It needs `pip install vapoursynth` (Python 3.12 or newer). The first frames of the sample, or of CLIP, go through
`vdiff_jax.vapoursynth.repair` in order, in reverse and at random, and through `vdiff_jax.repair` from file to file.
"""

import importlib
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarking.arguments import new_parser

from vdiff_jax import repair as repair_file
from vdiff_jax.media import Frame, PixelFormat, VideoInfo, open_reader, open_writer
from vdiff_jax.sample import NOISY
from vdiff_jax.vapoursynth import repair

FRAMES = 24


def main() -> int:
    """Compares, prints a line for each order, and returns 1 if any picture differs."""
    parser = new_parser(__doc__)
    parser.add_argument("clip", type=Path, nargs="?", default=Path(NOISY), help="a video (default: the sample)")
    parser.add_argument("--weights", default="fast", help="the weights (default: fast)")
    options = parser.parse_args()
    vs = importlib.import_module("vapoursynth")
    with open_reader(options.clip) as reader:
        info = reader.info
        frames = [frame for frame, _ in zip(reader, range(FRAMES))]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.mkv", Path(folder) / "out.mkv"
        with open_writer(source, info, codec="ffv1") as writer:
            for frame in frames:
                writer.write(frame)
        repair_file(source, target, task="denoise", sigma=15, weights=options.weights, codec="ffv1")
        with open_reader(target) as reader:
            wanted = [frame.planes for frame in reader]
    differ = 0
    orders = {"in order": range(FRAMES), "in reverse": range(FRAMES)[::-1]}
    orders["at random"] = random.Random(0).sample(range(FRAMES), FRAMES)
    for name, order in orders.items():
        clip = repair(as_clip(frames, info, vs), task="denoise", sigma=15, weights=options.weights, kept=6)
        begun, worst = time.perf_counter(), 0
        for number in order:
            with clip.get_frame(number) as frame:
                made = [np.asarray(plane).copy() for plane in frame]
            differences = [np.abs(a.astype(int) - b).max() for a, b in zip(made, wanted[number], strict=True)]
            worst = max(worst, *differences)
        print(f"{name}: largest difference {worst}, {time.perf_counter() - begun:.1f} s")
        differ += worst > 0
    return int(differ > 0)


def as_clip(frames: list[Frame], info: VideoInfo, vs: Any) -> Any:
    """Frames in memory as a clip of VapourSynth, the module `vs`."""
    pixels: PixelFormat = info.pixels
    w, h = (int(np.log2(n)) for n in pixels.subsampling)
    form = vs.core.query_video_format(vs.YUV, vs.INTEGER, pixels.bits, w, h)
    blank = vs.core.std.BlankClip(width=info.width, height=info.height, format=form.id, length=len(frames), keep=True)
    matrix = {"bt709": 1, "bt601": 6, "bt2020": 9}[pixels.matrix]

    def filled(n: int, f: Any) -> Any:
        made = f.copy()
        for number, samples in enumerate(frames[n].planes):
            np.copyto(np.asarray(made[number]), samples)
        made.props["_Matrix"] = matrix
        return made

    return blank.std.ModifyFrame(blank, filled)


if __name__ == "__main__":
    sys.exit(main())
