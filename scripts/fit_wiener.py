"""Fits the Wiener step (`vdiff_jax/postprocess/residual_filter.py`) of a network, and writes it to its file of weights.

    python scripts/fit_wiener.py deblock|denoise FOOTAGE WEIGHTS [--exclude A,B] [--photos 28] [--videos 14] [--add 3,5]

Makes clips from FOOTAGE, a folder of videos and photographs, as training does: FOOTAGE should be what the weights were
trained on. Damages them, by x264 and x265 at several rates or by white noise in R'G'B', and restores them with the
network of WEIGHTS. For noise in 4:2:0, the results are converted. Finds by least squares the coefficients that bring
the results nearest to the truth, at a few expected errors of luma; each frame counts by its relative error.
Prints by how many dB the step raises the PSNR of Y', Cb and Cr: of the clips that it was fitted to, and of others that
training does not see either. --both-directions fits the step of `--quality best`, which looks at more frames. --add
fits denoise at some sigmas only; other coefficients of the file stay.
"""

import argparse
import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from benchmarking.arguments import new_parser, words
from benchmarking.wiener_products import Products, products, solve

from vdiff_jax import weights
from vdiff_jax.corruption.coding import STORED, planes_of_rgb
from vdiff_jax.media.recode import recode
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.postprocess.residual_filter import Coefficients, WienerModel
from vdiff_jax.postprocess.residual_operators import COLOURS
from vdiff_jax.postprocess.wiener_operators import FAR_REACH, REACH
from vdiff_jax.restoration.arrays import repair_frames
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.runtime.caches import use_compilation_cache
from vdiff_jax.tasks.finish import wiener
from vdiff_jax.tasks.request import Request
from vdiff_jax.training.cache import Split, decode, split
from vdiff_jax.training.synthetic import clip_of_photo, clip_of_video, flipped

FRAMES, PATCH, SOFT = 10, 224, 0.12
CODINGS = [("h264", crf) for crf in ("23", "26", "29", "32", "35", "38")] + [
    ("hevc", crf) for crf in ("28", "32", "36")
]
PRESETS = {"h264": {"preset": "medium"}, "hevc": {"preset": "fast", "x265-params": "log-level=none:pools=none"}}
SIGMAS = (3, 5, 10, 25, 50)
RGB = PixelFormat(kind="rgb", full_range=True)
CODING_ERRORS = (2.5, 4.0, 6.0, 9.0)
"""The expected errors of luma, in 8-bit units, that coefficients of deblock are fitted at."""


class Restored(NamedTuple):
    """A clip before and after damage and what the network made of it.

    Attributes:
      pixels: the frames' pixel format.
      source: the clean frames.
      frames: the network's results, with the damaged planes.
      error: the expected error of luma before the network, in 8-bit units.
    """

    pixels: PixelFormat
    source: list[Frame]
    frames: list[Frame]
    error: float


def main() -> None:
    """Prints the gains and rewrites the file of weights."""
    parser = new_parser(__doc__)
    parser.add_argument("task", choices=["deblock", "denoise"], help="the damage to fit for")
    parser.add_argument("footage", type=Path, help="a folder of videos and photographs")
    parser.add_argument("weights", type=Path, help="the .safetensors file, which is rewritten")
    parser.add_argument("--exclude", type=words, default=[], metavar="A,B", help="parts of names to leave out")
    parser.add_argument("--photos", type=int, default=28, help="clips made of photographs (default: 28)")
    parser.add_argument("--videos", type=int, default=14, help="clips cut from videos (default: 14)")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="decoded footage (default: cache)")
    parser.add_argument("--kept", type=Path, default=Path("restored"), help="restored clips (default: restored)")
    parser.add_argument(
        "--both-directions", action="store_true", help="fit the step of --quality best (default: that of base)"
    )
    parser.add_argument("--add", type=words, default=[], metavar="A,B", help="sigmas that the file's filter lacks")
    options = parser.parse_args()
    use_compilation_cache()
    options.sigmas = [int(sigma) for sigma in options.add] or list(SIGMAS)
    files = restored_clips(options)
    model = fitted(options, [path for path in files if not path.name.startswith("held")])
    for group in ("fit", "held"):
        gains = [gain(read(path), model, reach_of(options)) for path in files if path.name.startswith(group)]
        print(group, len(gains), "clips: + dB", np.mean(gains, axis=0).round(3).tolist())
    network = weights.load(options.weights)
    models = {True: network.wiener_of_both, False: network.wiener_model}
    if options.add and (old := models[options.both_directions]) is not None:
        model = joined(model, old)
    models[options.both_directions] = model
    about = {key: value for key, value in network.about.items() if key not in ("network", "format")}
    earlier = {*json.loads(about.get(weights.EARLIER, "[]")), weights.identity(options.weights).hex()}
    about[weights.EARLIER] = json.dumps(sorted(earlier))
    weights.save(options.weights, network.config, network.params, about, models[False], models[True])


def reach_of(options: argparse.Namespace) -> int:
    """The frames before and after each frame that the step looks at."""
    return FAR_REACH if options.both_directions else REACH


def restored_clips(options: argparse.Namespace) -> list[Path]:
    """The files of all clips; those that are not there yet are made."""
    options.kept.mkdir(parents=True, exist_ok=True)
    items = decode(options.footage, options.cache, reduction=2.0, exclude=tuple(options.exclude))
    training, held = split(items)
    groups = [("fit", training, options.photos, options.videos), ("held", held, 5, 3)]
    made = []
    for group, footage, photos, videos in groups:
        for number, clip in enumerate(clips(footage, photos, videos, group)):
            for name, damaged in damages(options, clip, number):
                path = options.kept / f"{group}{number}_{name}.npz"
                if not path.exists():
                    write(path, restored(options, *damaged))
                made.append(path)
    return made


def clips(footage: Split, photos: int, videos: int, group: str) -> Iterator[np.ndarray]:
    """Clean R'G'B' clips: so many moving photographs, then so many crops of videos."""
    seed = {"fit": 1, "held": 3}[group]
    long = [video for video in footage.videos if len(video) >= FRAMES and min(video.shape[1:3]) >= PATCH]
    for number in range(photos):
        rng = np.random.default_rng([seed, number])
        first, second = (footage.photos[n] for n in rng.choice(len(footage.photos), 2))
        yield flipped(rng, clip_of_photo(rng, first, second, frames=FRAMES, patch=PATCH, soft=SOFT))
    for number in range(videos):
        rng = np.random.default_rng([seed + 1, number])
        yield flipped(rng, clip_of_video(rng, long[number * 7 % len(long)], frames=FRAMES, patch=PATCH))


def damages(options: argparse.Namespace, clip: np.ndarray, number: int) -> Iterator[tuple[str, tuple]]:
    """For each kind of damage its name, and the arguments of `restored`; for a codec, three of its rates."""
    if options.task == "deblock":
        source = stored_frames(clip)
        for codec, crf in CODINGS[number % 3 :: 3]:
            given = recode(source, STORED, codec, {**PRESETS[codec], "crf": crf}).frames
            yield f"yuv_{codec}{crf}", (STORED, source, given, {"codec": codec})
        return
    for sigma in options.sigmas:
        noise = np.random.default_rng([sigma]).normal(0, sigma, clip.shape)
        noisy = np.clip(np.rint(clip + noise), 0, 255).astype(np.uint8)
        both = [[Frame(tuple(np.moveaxis(f, -1, 0)), n) for n, f in enumerate(frames)] for frames in (clip, noisy)]
        yield f"rgb_{sigma}", (RGB, *both, {"sigma": sigma})


def stored_frames(clip: np.ndarray) -> list[Frame]:
    """An R'G'B' clip `t h w 3` as frames of 4:2:0."""
    return [Frame(planes_of_rgb(frame.astype(np.float32) / 255), n) for n, frame in enumerate(clip)]


def restored(
    options: argparse.Namespace, pixels: PixelFormat, source: list[Frame], given: list[Frame], known: dict
) -> Restored:
    """Restores a clip without the Wiener step."""
    own = {"weights": str(options.weights), "both_directions": options.both_directions}
    plan = make_plan(options.task, Request(frames=given, pixels=pixels, **own, **known))
    plan = dataclasses.replace(plan, finish=tuple(step for step in plan.finish if step is not wiener))
    frames = list(repair_frames(Footage(given, itertools.repeat(None), pixels), plan))
    return Restored(pixels, source, frames, 255 * float(plan.sigma[0]))


def write(path: Path, clip: Restored) -> None:
    """Writes a clip to a file."""
    parts = {"source": [f.planes for f in clip.source], "result": [f.planes for f in clip.frames]}
    parts["given"] = [f.given for f in clip.frames]
    arrays = {f"{part}{n}": np.stack(plane) for part, frames in parts.items() for n, plane in enumerate(zip(*frames))}
    partial = path.with_name(f"part.{path.name}")
    np.savez_compressed(partial, error=clip.error, **arrays)
    partial.rename(path)


def read(path: Path) -> Restored:
    """The inverse of `write`."""
    arrays = np.load(path)
    source, result, given = (
        list(zip(*(arrays[f"{part}{n}"] for n in range(3)))) for part in ("source", "result", "given")
    )
    frames = [Frame(planes, n, given=before) for n, (planes, before) in enumerate(zip(result, given))]
    pixels = RGB if "_rgb_" in path.name else STORED
    return Restored(pixels, [Frame(planes, n) for n, planes in enumerate(source)], frames, float(arrays["error"]))


def fitted(options: argparse.Namespace, files: list[Path]) -> WienerModel:
    """The model that fits all clips best; for R'G'B' that of luma, if there are no clips in R'G'B'."""
    noise = options.task == "denoise"
    errors = np.array([round(0.6686 * sigma, 2) for sigma in options.sigmas] if noise else CODING_ERRORS)
    left = error_left(files, errors)

    def coefficients(change: Callable[[Restored], Restored]) -> Coefficients:
        found = []
        for clip in (change(read(path)) for path in files):
            here = at(left, errors, clip.error) * unit_of(clip.pixels)
            found.append(products(clip.frames, clip.source, clip.pixels, clip.error, here, reach_of(options)))
        return solve(found, errors, left)

    stored = coefficients(in_stored_format)
    return WienerModel(errors, stored, coefficients(lambda clip: clip) if noise else without_colours(stored))


def joined(new: WienerModel, old: WienerModel) -> WienerModel:
    """The coefficients of both, in the order of their errors; the new ones where both have an error."""
    others = [n for n, error in enumerate(old.errors) if not np.isclose(error, new.errors, rtol=0.01).any()]
    errors = np.concatenate([new.errors, old.errors[others]])
    order = np.argsort(errors)

    def both(first: Coefficients, second: Coefficients) -> Coefficients:
        return Coefficients(*(np.concatenate([mine, yours[others]])[order] for mine, yours in zip(first, second)))

    return WienerModel(errors[order], both(new.stored, old.stored), both(new.rgb, old.rgb))


def in_stored_format(clip: Restored) -> Restored:
    """A clip in R'G'B' as 4:2:0; another as it is."""
    if clip.pixels.kind != "rgb":
        return clip
    source, result, given = (
        stored_frames(np.stack([np.stack(planes, axis=-1) for planes in part]))
        for part in (
            [frame.planes for frame in clip.source],
            [frame.planes for frame in clip.frames],
            [frame.given for frame in clip.frames],
        )
    )
    frames = [dataclasses.replace(after, given=before.planes) for after, before in zip(result, given)]
    return Restored(STORED, source, frames, clip.error)


def error_left(files: list[Path], errors: np.ndarray) -> np.ndarray:
    """What the network leaves of luma's expected errors, in 8-bit units: a straight line between the logarithms."""
    points = []
    for clip in map(read, files):
        luma = (luma_of(frames, clip.pixels) for frames in (clip.frames, clip.source))
        points.append((np.log2(clip.error), np.log2(np.sqrt(np.mean((np.subtract(*luma)) ** 2)) + 0.1)))
    return np.exp2(np.polyval(np.polyfit(*np.array(points).T, 1), np.log2(errors)))


def luma_of(frames: list[Frame], pixels: PixelFormat) -> np.ndarray:
    """Luma in 8-bit units."""
    planes = np.stack([np.stack(frame.planes[: 3 if pixels.kind == "rgb" else 1], -1) for frame in frames])
    return planes @ np.array([0.299, 0.587, 0.114]) if pixels.kind == "rgb" else planes[..., 0] / unit_of(pixels)


def at(values: np.ndarray, errors: np.ndarray, error: float) -> float:
    """A value between those at the fitted errors."""
    return float(np.interp(np.log2(error), np.log2(errors), values))


def without_colours(stored: Coefficients) -> Coefficients:
    """For R'G'B' the coefficients of luma, and none for chroma."""
    luma = np.pad(stored.luma, [(0, 0), (0, 0), (0, COLOURS)])
    return Coefficients(stored.left, luma, np.zeros_like(stored.chroma))


def gain(clip: Restored, model: WienerModel, reach: int) -> np.ndarray:
    """By how many dB the step raises the PSNR of Y', Cb and Cr, as expected by the products."""
    by = model.filter_for(clip.error / 255, clip.pixels)
    found: Products = products(clip.frames, clip.source, clip.pixels, clip.error, float(by.left), reach)
    return found.gain(by)


def unit_of(pixels: PixelFormat) -> float:
    """Luma samples in an 8-bit unit."""
    return 1.0 if pixels.kind == "rgb" else 219 / 255


if __name__ == "__main__":
    main()
