"""What encoding costs a repaired video: PSNR of luma before and after the default encoders.

    python scripts/measure_encoders.py CLIPS

Each scene's first frames are given white noise, denoised in 4:2:0, and written by each encoder at its defaults. The
columns are the PSNR of the encoded frames against the restored ones, of both against the truth, the difference of those
two (what encoding costs), and the bits that each pixel takes.
"""

import argparse
import itertools
import tempfile
from pathlib import Path

import cv2
import numpy as np
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


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", type=Path, help="a folder of videos and of folders of pictures")
    parser.add_argument("--scenes", default="", help="names, separated by commas (default: all)")
    parser.add_argument("--frames", type=int, default=12, help="of each scene (default: 12)")
    parser.add_argument("--sigma", type=float, default=20, help="the noise in 8-bit units (default: 20)")
    parser.add_argument("--weights", default="fast", help="base, fast or a file (default: fast)")
    parser.add_argument(
        "--encoders",
        default="libx264",
        help="codecs, each with options or without, separated by commas: libx264,libx264:crf=13:preset=fast",
    )
    options = parser.parse_args()
    print(
        "| scene | encoder | encoded to restored | restored | encoded | cost | bits a pixel |\n"
        "|---|---|---|---|---|---|---|"
    )
    for name, path in find_scenes(options.clips, options.scenes.split(",") if options.scenes else None).items():
        truth = [frame_420(rgb, n) for n, rgb in enumerate(read_scene(path, options.frames, SIZE))]
        restored = restore(truth, options.sigma, options.weights)
        before = psnr(truth, restored)
        for encoder in options.encoders.split(","):
            encoded, bits = encode(restored, encoder)
            after = psnr(truth, encoded)
            cells = [name, encoder, *(f"{x:.2f}" for x in (psnr(restored, encoded), before, after, before - after))]
            print(f"| {' | '.join(cells)} | {bits:.3f} |", flush=True)


def frame_420(rgb: np.ndarray, pts: int) -> Frame:
    """An R'G'B' picture in 4:2:0 and limited range, 8 bits."""
    height, width = (side // 2 * 2 for side in rgb.shape[:2])
    red, green, blue = np.moveaxis(rgb[:height, :width].astype(np.float32) / 255, -1, 0)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = [(blue - luma) / 1.772, (red - luma) / 1.402]
    small = [cv2.resize(plane, (width // 2, height // 2), interpolation=cv2.INTER_AREA) for plane in chroma]
    planes = [16 + 219 * luma, *(128 + 224 * plane for plane in small)]
    return Frame(tuple(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes), pts)


def restore(truth: list[Frame], sigma: float, weights: str) -> list[Frame]:
    """The frames with noise added, and denoised."""
    rng = np.random.default_rng(0)
    each = sigma_of_rgb(sigma / 255, PIXELS) * np.array([219, 224, 224])

    def noisy(frame: Frame) -> Frame:
        planes = (plane + rng.normal(0, one, plane.shape) for plane, one in zip(frame.planes, each))
        return Frame(tuple(np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in planes), frame.pts)

    frames = [noisy(frame) for frame in truth]
    plan = make_plan("denoise", Request(frames=frames, pixels=PIXELS, sigma=sigma, weights=weights))
    return list(repair_frames(Footage(frames, itertools.repeat(None), PIXELS), plan))


def encode(frames: list[Frame], encoder: str) -> tuple[list[Frame], float]:
    """The frames written and read again, and the bits that a pixel takes."""
    codec, *given = encoder.split(":")
    height, width = frames[0].planes[0].shape
    info = media.VideoInfo(width=width, height=height, pixels=PIXELS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "encoded.mkv"
        chosen = dict(option.split("=") for option in given) or None
        with media.open_writer(path, info, codec=codec, options=chosen) as writer:
            for frame in frames:
                writer.write(frame)
        with media.open_reader(path) as reader:
            return list(reader), 8 * path.stat().st_size / (len(frames) * height * width)


def psnr(reference: list[Frame], test: list[Frame]) -> float:
    """The PSNR of luma over all frames."""
    error = [np.mean((a.planes[0].astype(float) - b.planes[0]) ** 2) for a, b in zip(reference, test, strict=True)]
    return float(10 * np.log10(255**2 / np.mean(error)))


if __name__ == "__main__":
    main()
