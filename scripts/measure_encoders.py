"""What encoding costs a repaired video: PSNR of luma before and after the default encoders.

    python scripts/measure_encoders.py CLIPS

Each scene's first frames are damaged, repaired in 4:2:0, and written by each encoder at the quality that `repair` would
choose. The first three figures are PSNR: of the encoded frames against the restored ones, and of both against the
truth. Then come the difference of the last two (what encoding costs) and the bits that each pixel takes. "times" is
how many times these bits are what the default after strong noise takes. Of interpolate only the new frames count, of
inpaint only the pixels in the mask.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from benchmarking.problems import cover, holes, reduce
from benchmarking.scenes import find_scenes, read_scene

from vdiff_jax import media
from vdiff_jax.pixels import Frame, PixelFormat
from vdiff_jax.restoration.arrays import repair_frames
from vdiff_jax.restoration.footage import Footage
from vdiff_jax.restoration.plan import make_plan
from vdiff_jax.stream.sigma import sigma_of_rgb
from vdiff_jax.tasks.request import Request

PIXELS = PixelFormat(kind="yuv", full_range=False, subsampling=(2, 2))
SIZE = (640, 360)
TASKS = ("denoise", "deblock", "superres", "interpolate", "inpaint")


class Repaired(NamedTuple):
    """A repaired scene.

    Attributes:
      truth: the clean frames.
      frames: the restored ones.
      made: `t h w`, the pixels that count.
      noise: the sigma of the noise that was removed, in 8-bit units; `None` where none was.
    """

    truth: list[Frame]
    frames: list[Frame]
    made: np.ndarray
    noise: float | None


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="a folder of videos and of folders of pictures")
    parser.add_argument("--scenes", default="", help="names, separated by commas (default: all)")
    parser.add_argument("--frames", type=int, default=12, help="of each scene (default: 12)")
    parser.add_argument("--task", choices=TASKS, default="denoise", help="what is repaired (default: denoise)")
    parser.add_argument("--sigma", type=float, default=20, help="denoise: the noise in 8-bit units (default: 20)")
    parser.add_argument("--crf", default="28", help="deblock: the crf of x264 that is repaired (default: 28)")
    parser.add_argument("--weights", default="base", help="base, fast or a file (default: base)")
    parser.add_argument(
        "--encoders",
        default="libx264",
        help="codecs, each with options or without, separated by commas: libx264,libx264:crf=13:preset=fast",
    )
    options = parser.parse_args()
    print(
        "| scene | encoder | encoded to restored | restored | encoded | cost | bits a pixel | times |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    for name, path in find_scenes(options.clips, options.scenes.split(",") if options.scenes else None).items():
        rgb = read_scene(path, options.frames, SIZE)
        repaired = repair(rgb[:, : rgb.shape[1] // 4 * 4, : rgb.shape[2] // 4 * 4], name, options)
        before = psnr(repaired.truth, repaired.frames, repaired.made)
        for encoder in options.encoders.split(","):
            encoded, bits = encode(repaired.frames, encoder, repaired.noise)
            plain = bits if repaired.noise is None else encode(repaired.frames, encoder)[1]
            after = psnr(repaired.truth, encoded, repaired.made)
            lost = psnr(repaired.frames, encoded, repaired.made)
            cells = [name, encoder, *(f"{x:.2f}" for x in (lost, before, after, before - after))]
            print(f"| {' | '.join(cells)} | {bits:.3f} | {bits / plain:.2f} |", flush=True)


def repair(rgb: np.ndarray, scene: str, options: argparse.Namespace) -> Repaired:
    """A scene, uint8 R'G'B' `t h w 3`, damaged and repaired."""
    truth, made = frames_420(rgb), np.ones(rgb.shape[:3], bool)
    damaged, masks, given = truth, itertools.repeat(None), {}
    if options.task == "denoise":
        damaged, given = add_noise(truth, options.sigma), {"sigma": options.sigma}
    elif options.task == "deblock":
        damaged, given = encode(truth, f"libx264:preset=medium:crf={options.crf}")[0], {"codec": "h264"}
    elif options.task == "superres":
        damaged, given = frames_420(reduce(rgb, 2)), {"scale": 2}
    elif options.task == "interpolate":
        truth = truth[: (len(truth) - 1) // 2 * 2 + 1]
        made = np.zeros((len(truth), *rgb.shape[1:3]), bool)
        made[1::2] = True
        damaged, given = truth[::2], {"rate": Fraction(25), "time_base": Fraction(1, 50), "fps": 50}
    else:
        made = holes("logo", scene, rgb.shape[:3])
        damaged, masks, given = frames_420(cover(rgb, made, "logo")), iter(made), {"masked": True}
    plan = make_plan(options.task, Request(frames=damaged[:8], pixels=PIXELS, weights=options.weights, **given))
    restored = repair_frames(Footage(damaged, masks, PIXELS), plan)
    return Repaired(truth, [Frame(frame.planes, n) for n, frame in enumerate(restored)], made, plan.noise)


def frames_420(clip: np.ndarray) -> list[Frame]:
    """Pictures, uint8 R'G'B' `t h w 3`, as `frame_420` makes them."""
    return [frame_420(picture, n) for n, picture in enumerate(clip)]


def frame_420(rgb: np.ndarray, pts: int) -> Frame:
    """An R'G'B' picture in 4:2:0 and limited range, 8 bits."""
    height, width = (side // 2 * 2 for side in rgb.shape[:2])
    red, green, blue = np.moveaxis(rgb[:height, :width].astype(np.float32) / 255, -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = [(blue - luma) / 1.772, (red - luma) / 1.402]
    small = [cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for plane in chroma]
    planes = [16 + 219 * luma, *(128 + 224 * plane for plane in small)]
    return Frame(tuple(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes), pts)


def add_noise(truth: list[Frame], sigma: float) -> list[Frame]:
    """The frames with white R'G'B' noise."""
    rng = np.random.default_rng(0)
    each = sigma_of_rgb(sigma / 255, PIXELS) * np.array([219, 224, 224])

    def noisy(frame: Frame) -> Frame:
        planes = (plane + rng.normal(0, one, plane.shape) for plane, one in zip(frame.planes, each))
        return Frame(tuple(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes), frame.pts)

    return [noisy(frame) for frame in truth]


def encode(frames: list[Frame], encoder: str, noise: float | None = None) -> tuple[list[Frame], float]:
    """The frames written after noise of a sigma was removed, and read again; and the bits that a pixel takes."""
    codec, *given = encoder.split(":")
    height, width = frames[0].planes[0].shape
    info = media.VideoInfo(width=width, height=height, pixels=PIXELS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoded.mkv"
        chosen = dict(option.split("=") for option in given) or None
        with media.open_writer(path, info, codec=codec, options=chosen, noise=noise) as writer:
            for frame in frames:
                writer.write(frame)
        with media.open_reader(path) as reader:
            return list(reader), 8 * path.stat().st_size / (len(frames) * height * width)


def psnr(reference: Iterable[Frame], test: Iterable[Frame], made: np.ndarray) -> float:
    """The PSNR of luma over the pixels that count."""
    error = [(a.planes[0].astype(float) - b.planes[0]) ** 2 for a, b in zip(reference, test, strict=True)]
    return float(10 * np.log10(255**2 / np.mean(np.stack(error)[made])))


if __name__ == "__main__":
    main()
