"""What the noise estimator reads, and what `repair` plans, on clean scenes and with noise of known sigma.

    python scripts/estimator.py --data DIR [--sigmas 5 10 25 50] [--kinds] [--harm]

For each scene as it is, at half its size (by area and by Lanczos' filter) and with white noise: the estimate in 8-bit
units of R'G'B' noise, and the tasks of the automatic plan. The last lines count the scenes that are left as they are,
and give the range of the estimates.

--kinds adds other noise to luma: a camera's, correlated noise and film grain, of sigma 10 each, and white noise that
x264 has coded. Its columns have the estimate and luma's true error, in 8-bit units.

--harm measures whether a plan harms a nearly clean video, at native and at half size: luma gets weak noise, or is coded
by x264. Where the plan acts, the column has what the repair changes in PSNR of the middle part against the clean luma,
in dB.
"""

import itertools
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import jax
import numpy as np
from benchmarking.arguments import new_parser

from vdiff_jax import media
from vdiff_jax.corruption import noise
from vdiff_jax.errors import VdiffError
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.preprocess.planes import normalised_samples
from vdiff_jax.restoration.arrays import repair_frames
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.restoration.video import FIRST_FRAMES
from vdiff_jax.stream.sigma import measure_sigma, sigma_in_rgb, sigma_of_rgb
from vdiff_jax.tasks.request import Request

FILTERS = {"half": cv2.INTER_AREA, "half, Lanczos": cv2.INTER_LANCZOS4}
LUMA = PixelFormat(kind="yuv", subsampling=(2, 2))
"""The format in which luma alone is measured, repaired and coded; its chroma is grey."""
KINDS = ("camera", "correlated", "grain", "coded")
HARM = {"noise 3.5": (3.5, None), "noise 5": (5, None), "crf 28": (0, "28"), "crf 33": (0, "33"), "crf 38": (0, "38")}
"""The weak damage of --harm: sigma of white noise, and x264's crf."""
HALVED = [f"{name}, half" for name in HARM]
PART, SHORT = (192, 256), 8
"""Height and width of the part that --harm repairs, and the number of frames that it and --kinds use."""


def main() -> None:
    """Prints the table."""
    parser = new_parser(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="a folder of videos and of folders of pictures")
    parser.add_argument(
        "--sigmas", type=float, nargs="*", default=[5, 10, 25, 50], help="the white noise that is added"
    )
    parser.add_argument("--only", default="", help="parts of the names of scenes, separated by commas")
    parser.add_argument("--kinds", action="store_true", help="other kinds of noise too")
    parser.add_argument("--harm", action="store_true", help="what repairs of nearly clean videos change")
    options = parser.parse_args()
    titles = ["as it is", *FILTERS, *(f"sigma {sigma:g}" for sigma in options.sigmas)]
    titles += [*(KINDS if options.kinds else ()), *((*HARM, *HALVED) if options.harm else ())]
    print(f"| scene | {' | '.join(titles)} |\n|{'---|' * (len(titles) + 1)}")
    left, errors, changes = [], [], []
    for scene in sorted(options.data.iterdir()):
        if not any(part in scene.name for part in options.only.split(",")):
            continue
        try:
            frames, pixels, codec = first_frames(scene)
        except VdiffError as error:
            print(f"| {scene.name} | {error} |")
            continue
        clean = [(frames, codec), *((halved(frames, method), "") for method in FILTERS.values())]
        cells = [planned(*one, pixels) for one in clean]
        left += ["," not in cell for cell in cells]
        for sigma in options.sigmas:
            estimate = sigma_in_rgb(measure_sigma(with_noise(frames, pixels, sigma), pixels), pixels)
            errors.append((estimate / sigma - 1, f"{scene.name} at {sigma:g}"))
            cells.append(f"{estimate:.2f}")
        luma = luma_of(frames[:SHORT], pixels)
        cells += kinds(luma) if options.kinds else ()
        if options.harm:
            half = np.stack([cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for frame in luma])
            measured = [*harm(luma), *harm(half)]
            names = [f"{scene.name}, {name}" for name in (*HARM, *HALVED)]
            changes += [(change, name) for name, change in zip(names, measured) if change is not None]
            cells += ["left" if change is None else f"{change:+.2f}" for change in measured]
        print(f"| {scene.name} | {' | '.join(cells)} |", flush=True)
    print(f"left as they are: {sum(left)} of {len(left)} clean clips ({np.mean(left):.0%})")
    if errors:
        (low, where), (high, there) = min(errors), max(errors)
        print(f"the estimates are {low:+.1%} ({where}) to {high:+.1%} ({there}) off")
    if changes:
        print(
            f"{len(changes)} repairs of nearly clean videos; the worst: {min(changes)[0]:+.2f} dB ({min(changes)[1]})"
        )


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


def planned(frames: list[Frame], codec: str, pixels: PixelFormat) -> str:
    """The estimate; and, unless the video is left as it is, the tasks of the plan and their sigma."""
    plan = make_plan("auto", Request(frames=frames, pixels=pixels, codec=codec))
    estimate = f"{sigma_in_rgb(measure_sigma(frames, pixels), pixels):.2f}"
    return f"{estimate}, {' and '.join(plan.tasks)} with {plan.sigma_rgb:.1f}" if plan.tasks else estimate


def kinds(luma: np.ndarray, *, sigma: float = 10 / 255) -> Iterator[str]:
    """For each of `KINDS`: the estimate of luma's noise, and luma's true error."""
    key, shape = jax.random.key(0), (*luma.shape, 1)
    strengths = {
        "camera": noise.camera_sigma(luma[..., None], sigma / 2, sigma) * noise.white(key, shape),
        "correlated": sigma * noise.correlated(key, shape, 0.5),
        "grain": noise.grain_sigma(luma[..., None], sigma) * noise.correlated(key, shape, 0.7),
        "coded": sigma * noise.white(key, shape),
    }
    for kind in KINDS:
        frames = stored(luma + np.asarray(strengths[kind])[..., 0])
        frames = coded(frames, "20") if kind == "coded" else frames
        yield f"{255 * measure_sigma(frames, LUMA)[0]:.1f} of {255 * np.sqrt(error(frames, luma)):.1f}"


def harm(luma: np.ndarray) -> Iterator[float | None]:
    """For each damage of `HARM`: the change of PSNR by the automatic repair; `None` where it leaves the video alone."""
    lengths = (min(side // 2 * 2, size) for side, size in zip(luma.shape[1:], PART))
    part = tuple(slice((side - size) // 2, (side + size) // 2) for side, size in zip(luma.shape[1:], lengths))
    clean = luma[:, *part]
    for sigma, crf in HARM.values():
        rng = np.random.default_rng(0)
        whole = stored(luma + rng.normal(0, sigma / 255, luma.shape)) if crf is None else coded(stored(clean), crf)
        plan = make_plan("auto", Request(frames=whole, pixels=LUMA, codec="" if crf is None else "h264"))
        if not plan.tasks:
            yield None
            continue
        frames = whole if crf else stored(luma_of(whole, LUMA)[:, *part])
        request = Request(frames=frames, pixels=LUMA, codec="h264", sigma=plan.sigma_rgb if crf is None else None)
        restored = list(repair_frames(Footage(frames, itertools.repeat(None), LUMA), make_plan(plan.tasks[0], request)))
        yield 10 * np.log10(error(frames, clean) / error(restored, clean))


def stored(luma: np.ndarray) -> list[Frame]:
    """Luma, clipped and rounded, as frames."""
    height, width = (side // 2 * 2 for side in luma.shape[1:])
    samples = np.clip(np.rint(16 + 219 * luma[:, :height, :width]), 0, 255).astype(np.uint8)
    grey = np.full((height // 2, width // 2), 128, np.uint8)
    return [Frame((picture, grey, grey), number) for number, picture in enumerate(samples)]


def coded(frames: list[Frame], crf: str) -> list[Frame]:
    """The frames, coded by x264."""
    height, width = frames[0].planes[0].shape
    info = media.VideoInfo(width=width, height=height, pixels=LUMA, rate=Fraction(25), time_base=Fraction(1, 25))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "coded.mkv")
        options = {"crf": crf, "preset": "medium"}
        with media.open_writer(path, info, codec="libx264", options=options, trial=True) as writer:
            for frame in frames:
                writer.write(frame)
        with media.open_reader(path) as reader:
            return list(reader)


def error(frames: list[Frame], luma: np.ndarray) -> float:
    """The mean square error of frames against luma."""
    result = luma_of(frames, LUMA)
    return float(np.mean((result - luma[:, : result.shape[1], : result.shape[2]]) ** 2))


def luma_of(frames: list[Frame], pixels: PixelFormat) -> np.ndarray:
    """Luma, or green, `t h w` in [0, 1]."""
    planes = np.stack([frame.planes[1 if pixels.kind == "rgb" else 0] for frame in frames])
    return normalised_samples(planes, pixels, chroma=False)


if __name__ == "__main__":
    main()
