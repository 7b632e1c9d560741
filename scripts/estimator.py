"""What the noise estimator reads, and what `repair` plans, on clean scenes and with white noise of known sigma.

    python scripts/estimator.py --data DIR

For each scene as it is, at half its size (by area and by Lanczos' filter) and with noise: the estimate in 8-bit units
of R'G'B' noise, and the tasks of the automatic plan. No network runs, unless --harm is given and a clean scene is not
left as it is: then its PSNR against its input is printed. The last lines count the scenes that are left as they are,
and give the largest relative error of the estimates.
"""

import argparse
import itertools
from pathlib import Path

import cv2
import numpy as np

from vdiff_jax import media
from vdiff_jax.errors import VdiffError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.arrays import repair_frames
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.restoration.video import FIRST_FRAMES
from vdiff_jax.stream.sigma import measure_sigma, sigma_in_rgb, sigma_of_rgb
from vdiff_jax.tasks.plan import Plan
from vdiff_jax.tasks.request import Request

FILTERS = {"half": cv2.INTER_AREA, "half, Lanczos": cv2.INTER_LANCZOS4}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of videos and of folders of pictures")
    parser.add_argument("--sigmas", type=float, nargs="*", default=[5, 10, 25, 50], help="the noise that is added")
    parser.add_argument("--only", default="", help="parts of the names of scenes, separated by commas")
    parser.add_argument("--harm", action="store_true", help="run the network where a clean scene is not left as it is")
    options = parser.parse_args()
    titles = ["as it is", *FILTERS, *(f"sigma {sigma:g}" for sigma in options.sigmas)]
    print(f"| scene | {' | '.join(titles)} |\n|{'---|' * (len(titles) + 1)}")
    left, errors = [], []
    for scene in sorted(options.data.iterdir()):
        if not any(part in scene.name for part in options.only.split(",")):
            continue
        try:
            frames, pixels, codec = first_frames(scene)
        except VdiffError as error:
            print(f"| {scene.name} | {error} |")
            continue
        clean = [(frames, codec), *((halved(frames, method), "") for method in FILTERS.values())]
        plans = [make_plan("auto", request_of(some, pixels, name)) for some, name in clean]
        left += [not plan.tasks for plan in plans]
        cells = [words(plan, some, pixels, harm=options.harm) for plan, (some, _) in zip(plans, clean)]
        for sigma in options.sigmas:
            estimate = sigma_in_rgb(measure_sigma(with_noise(frames, pixels, sigma), pixels), pixels)
            errors.append((estimate / sigma - 1, f"{scene.name} at {sigma:g}"))
            cells.append(f"{estimate:.2f}")
        print(f"| {scene.name} | {' | '.join(cells)} |", flush=True)
    print(f"left as they are: {sum(left)} of {len(left)} clean clips ({np.mean(left):.0%})")
    if errors:
        (low, where), (high, there) = min(errors), max(errors)
        print(f"the estimates are {low:+.1%} ({where}) to {high:+.1%} ({there}) off")


def first_frames(scene: Path) -> tuple[list[Frame], PixelFormat, str]:
    """The frames that a repair measures the noise on, their pixel format and codec."""
    with media.open_reader(scene) as reader:
        return list(itertools.islice(reader, FIRST_FRAMES)), reader.info.pixels, reader.info.codec


def halved(frames: list[Frame], method: int) -> list[Frame]:
    """The frames at half their size, each plane alone, as a lossless file would hold them."""

    def half(plane: np.ndarray) -> np.ndarray:
        height, width = (side // 4 * 4 for side in plane.shape)
        source = plane[:height, :width]
        if method == cv2.INTER_LANCZOS4:  # OpenCV's does not low-pass
            source = cv2.GaussianBlur(source, (0, 0), 0.5)
        return cv2.resize(source, (width // 2, height // 2), interpolation=method)

    return [Frame(tuple(map(half, frame.planes)), frame.pts) for frame in frames]


def with_noise(frames: list[Frame], pixels: PixelFormat, sigma: float) -> list[Frame]:
    """The frames with white noise that is as strong as R'G'B' noise of this sigma, clipped and rounded."""
    rng = np.random.default_rng(0)
    each = sigma_of_rgb(sigma / 255, pixels) if pixels.kind != "rgb" else np.full(3, sigma / 255)
    swing = np.array([255, 255, 255]) if pixels.full_range else np.array([219, 224, 224])
    swing = swing * 2 ** (pixels.bits - 8)
    noisy = []
    for frame in frames:
        planes = [
            np.clip(np.rint(plane + rng.normal(0, one, plane.shape).astype(np.float32)), 0, pixels.peak)
            for plane, one in zip(frame.planes, each * swing)
        ]
        noisy.append(Frame(tuple(p.astype(pixels.dtype) for p in planes), frame.pts))
    return noisy


def request_of(frames: list[Frame], pixels: PixelFormat, codec: str) -> Request:
    """What the plan is made from, for a video without options."""
    return Request(frames=frames, pixels=pixels, codec=codec)


def words(plan: Plan, frames: list[Frame], pixels: PixelFormat, *, harm: bool) -> str:
    """The estimate and the plan; with `harm`, the PSNR of the result against its input."""
    estimate = sigma_in_rgb(measure_sigma(frames, pixels), pixels)
    if not plan.tasks:
        return f"{estimate:.2f}"
    text = f"{estimate:.2f}, {' and '.join(plan.tasks)} with {plan.sigma_rgb:.1f}"
    if harm:
        some = frames[:8]
        result = repair_frames(Footage(some, itertools.repeat(None), pixels), plan)
        error = [np.mean((a.planes[0].astype(float) - b.planes[0]) ** 2) for a, b in zip(some, result)]
        text += f": {10 * np.log10(pixels.peak**2 / np.mean(error)):.1f} dB"
    return text


if __name__ == "__main__":
    main()
